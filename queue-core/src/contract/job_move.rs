//! Moves the unfinished jobs of a queue to another store.

mod batch;
mod checks;
mod error;

use std::time::Duration;

use crate::contract::admin::Admin;
use crate::contract::filter::Filter;
use crate::contract::id::JobId;
use crate::contract::name::QueueName;
use crate::contract::page::PageRequest;
use crate::contract::record::State;

pub use error::MoveError;

/// Moves the unfinished jobs of a paused queue to another store, with their ids, attempts, errors, unique keys and times.
///
/// It imports a batch of jobs into the other store, where it pauses the queue, and then deletes these jobs from the first store.
/// So after a crash at any point each job is in one of the stores or in both, and running the move again completes it. Both queues
/// are paused meanwhile, so a job that is in both runs in neither. When the move is done, resume the queue in the other store.
///
/// Finished jobs stay in the first store. So does a job whose unique key a job of the other store holds: see [`Moved::left`].
///
/// ```
/// use queue_core::admin::{JobMove, MoveError};
/// use queue_core::{Admin, QueueName};
///
/// /// Moves the queue `mail`.
/// async fn move_mail(from: &dyn Admin, to: &dyn Admin) -> Result<(), MoveError> {
///     let mail = QueueName::from_static("mail");
///     from.pause(&mail).await.map_err(MoveError::Source)?;
///     let moved = JobMove::of("mail").run(from, to, &mut |moved| println!("{} moved", moved.jobs)).await?;
///     assert!(moved.left.is_empty());
///     to.resume(&mail).await.map_err(MoveError::Target)
/// }
/// ```
///
/// # Changes meanwhile
///
/// The move also moves jobs that producers push meanwhile, and ends with a pass over the queue that finds none. Point the
/// producers to the other store first, for a second reason: a push that [replaces](crate::OnConflict::Replace) a waiting job
/// between its copy and its deletion is lost, and so is an operator's deletion. If an operator cancels a job in the first store
/// meanwhile, the move deletes its copy.
#[derive(Clone, Debug)]
pub struct JobMove {
    queue: QueueName,
    batch: usize,
    wait: Duration,
}

impl JobMove {
    /// Creates the move of a queue, which does not wait for executing jobs.
    pub fn of(queue: impl Into<QueueName>) -> Self {
        Self { queue: queue.into(), batch: 250, wait: Duration::ZERO }
    }

    /// Sets the number of jobs that are moved in one step; at least one. The default is 250.
    #[must_use]
    pub fn batch(mut self, jobs: usize) -> Self {
        self.batch = jobs.max(1);
        self
    }

    /// Sets how long to wait for the executing jobs to end their attempts. By default, the move is refused if a job is executing.
    #[must_use]
    pub fn wait_for_executing(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Moves the jobs, and calls `progress` after each batch.
    ///
    /// # Errors
    ///
    /// [`NotPaused`](MoveError::NotPaused), [`Executing`](MoveError::Executing) and [`SameStore`](MoveError::SameStore) say what to
    /// do first. The errors of the stores say which of them failed. The batches before an error are moved.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time, as if the program had crashed: run it again to complete the move.
    pub async fn run(
        &self,
        from: &dyn Admin,
        to: &dyn Admin,
        progress: &mut (dyn FnMut(&Moved) + Send),
    ) -> Result<Moved, MoveError> {
        self.check_stores(from, to).await?;
        self.check_paused(from).await?;
        to.pause(&self.queue).await.map_err(MoveError::Target)?;
        let mut moved = Moved::default();
        loop {
            self.wait_for_executing_jobs(from).await?;
            let before = moved.jobs;
            moved.left.clear();
            self.pass(from, to, &mut moved, progress).await?;
            // A claim that began before the pause may have leased jobs during the pass.
            if moved.jobs == before && self.executing(from).await?.is_empty() {
                return Ok(moved);
            }
        }
    }

    /// Moves the waiting jobs in push order, once over the queue.
    async fn pass(
        &self,
        from: &dyn Admin,
        to: &dyn Admin,
        moved: &mut Moved,
        progress: &mut (dyn FnMut(&Moved) + Send),
    ) -> Result<(), MoveError> {
        let mut request = PageRequest::first(self.batch);
        loop {
            let page = from.list(&self.waiting(), &request).await.map_err(MoveError::Source)?;
            for part in batch::parts(page.jobs) {
                self.move_batch(from, to, part, moved).await?;
                progress(moved);
            }
            if page.next.is_none() {
                return Ok(());
            }
            request.after = page.next;
        }
    }

    /// Returns the filter of the jobs that can be moved.
    fn waiting(&self) -> Filter {
        let waiting = [State::Scheduled, State::Available, State::Retryable];
        waiting.into_iter().fold(Filter::all().queue(self.queue.clone()), Filter::state)
    }
}

/// The progress of a move, and its result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// The number of jobs that have left the first store. A move that is repeated counts from zero.
    pub jobs: u64,
    /// The number of those that were in the other store already: a move before this one was interrupted.
    pub present: u64,
    /// The jobs that the last pass has left in the first store, with the reason.
    pub left: Vec<(JobId, LeftReason)>,
}

/// The reason why a move leaves a job in the first store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftReason {
    /// This job of the other store holds its unique key: cancel one of the two.
    KeyHeld(JobId),
    /// The other store has a job of this id with another name or payload: delete one of the two.
    Differs,
}
