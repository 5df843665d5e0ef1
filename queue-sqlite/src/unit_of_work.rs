//! A job's writes and its completion, in one commit.

use std::fmt;

use queue_core::services::Factory;
use queue_core::{BoxError, JobContext, OutcomeKind, QueueError, Settled};
use rusqlite::Connection;

use crate::queue::SqliteQueue;
use queue_core::encoded::encode_followups;

/// The writes of a job, which are committed together with its completion and its followups, or not at all.
///
/// For jobs whose effects are in the database that the jobs are in: wherever the process dies, the effects are there
/// exactly once.
///
/// A job says what is to be written; nothing is until it has succeeded. So it holds no lock, however long it takes, and a
/// write that depends on what is stored says so in its own SQL, or reads within its closure.
///
/// ```
/// use queue_core::{Services, background_job};
/// use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
///
/// #[background_job]
/// async fn pay(#[inject] db: &mut SqliteUnitOfWork, order: i64) {
///     db.write(move |tx| tx.execute("update orders set paid = paid + 1 where id = ?1", [order]));
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let queue = SqliteQueue::open(":memory:").await?;
/// let services = Services::builder().unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # What a write may do
///
/// It runs on the queue's writer thread, on the queue's own connection, in a transaction that it shares with no other
/// call, and everybody's pushes wait for it: it should be short, and must not wait for the queue itself. It can't end the
/// transaction or begin another. One that fails or panics fails the attempt, and then nothing of the job was written.
///
/// It can't leave anything behind in the connection either: pragmas that set something, `attach`, `detach`, and temporary
/// tables, views, indexes and triggers are refused. Hooks and a busy timeout that it sets through the connection's methods
/// last until the write ends.
///
/// # With other services that end with the outcome
///
/// Scopes are closed in reverse order, and what is committed here stands. So inject this one first: another unit of work
/// then ends before it, and if that fails, nothing is written here.
pub struct SqliteUnitOfWork {
    queue: SqliteQueue,
    context: JobContext,
    writes: Vec<Write>,
}

/// What is to be written.
pub(crate) type Write = Box<dyn FnOnce(&Connection) -> Result<(), BoxError> + Send>;

impl SqliteQueue {
    /// Makes the first half of `.unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end)`.
    pub fn unit_of_work(&self) -> impl Factory<(JobContext,), Service = SqliteUnitOfWork> + use<> {
        let queue = self.clone();
        move |context: JobContext| {
            let (queue, writes) = (queue.clone(), Vec::new());
            async move { Ok::<_, QueueError>(SqliteUnitOfWork { queue, context, writes }) }
        }
    }
}

impl SqliteUnitOfWork {
    /// Adds a write, which is made if and when the job has succeeded. They are made in the order in which they were added.
    pub fn write<T, E: Into<BoxError>>(
        &mut self,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) {
        self.writes.push(Box::new(move |tx| write(tx).map(drop).map_err(Into::into)));
    }

    /// Commits the writes and the completion after a success, and does nothing after anything else.
    ///
    /// # Errors
    ///
    /// `Conflict` if the lease was lost or a write failed, `Invalid` if a followup can't be stored, after which the job is
    /// discarded, and what else goes wrong with the file. Then nothing was written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves everything written or nothing.
    pub async fn end(self, outcome: OutcomeKind) -> Result<(), QueueError> {
        if !outcome.is_success() {
            return Ok(());
        }
        let Self { queue, context, writes } = self;
        let mut settlements = [context.completion()];
        let followups = encode_followups(&mut settlements, queue.limits())?;
        let [settlement] = settlements;
        let complete = queue.writer().call_exclusive(move |table| {
            table.complete_in_unit_of_work(
                &settlement.lease,
                writes,
                followups.first().map_or(&[], Vec::as_slice),
            )
        });
        match complete.await? {
            Settled::Applied => {
                context.note_completed();
                Ok(())
            }
            _ => Err(QueueError::conflict(
                "the lease was lost before the unit of work could be committed: nothing was written",
            )),
        }
    }
}

impl fmt::Debug for SqliteUnitOfWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteUnitOfWork").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}
