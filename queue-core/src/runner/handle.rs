//! The handle of a stored job, which waits for its end and decodes its result.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::attempt::into_outcome::decode_result;
use crate::contract::admin::Admin;
use crate::contract::enqueued::EnqueuedJob;
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::id::JobId;
use crate::contract::record::{AttemptError, JobRecord, State};
use crate::runner::kind::Job;

/// The handle of a stored job of type `J`: waits for its end, and returns its result.
///
/// It is the job's id with the job's type. It does not borrow the queue, so it can be stored, and moved to another task.
///
/// ```
/// use queue_core::{Admin, Ended, QueueExt as _, background_job};
/// use std::time::Duration;
///
/// #[background_job]
/// async fn build(year: u32) -> Result<String, std::io::Error> {
///     Ok(format!("https://example.com/reports/{year}"))
/// }
///
/// # async fn example(queue: &dyn Admin) -> Result<(), queue_core::QueueError> {
/// let report = queue.enqueue(build::new(2026)).await?.handle();
///
/// match report.ended(queue, Duration::from_secs(20)).await? {
///     Ended::Completed(url) => println!("the report is at {url}"),
///     Ended::Discarded(errors) => println!("it failed: {errors:?}"),
///     Ended::Cancelled(reason) => println!("it was cancelled: {reason}"),
///     Ended::Gone => println!("the queue does not have it any more"),
///     Ended::NotYet(state) => println!("it is {state}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Do not wait in a request handler
///
/// A job may wait in its queue for longer than a client waits for an answer, and it may be retried. Answer `202 Accepted` with
/// the [`id`](Self::id), and let the client ask for it later. The handler of that request creates the handle by
/// [`new`](Self::new), and calls [`ended`](Self::ended) with `Duration::ZERO`.
///
/// # Retention
///
/// A result is kept for as long as its job. If the queue has removed the job, the answer is [`Ended::Gone`]. SQLite and PostgreSQL keep
/// them for a day by default: see `keep_completed` of their builders. A `MemoryQueue` keeps none by default: see `retention` of
/// its builder.
pub struct JobHandle<J> {
    id: JobId,
    job: PhantomData<fn() -> J>,
}

/// The end of a job, or its state if it has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// It completed with this result.
    Completed(T),
    /// It was discarded. The errors of its attempts, oldest first.
    Discarded(Vec<AttemptError>),
    /// It was cancelled, for this reason.
    Cancelled(String),
    /// The queue does not know it, or no longer knows it: it was deleted, or removed after its retention.
    Gone,
    /// It has not ended; this is its state.
    NotYet(State),
}

impl<J: Job> JobHandle<J> {
    /// Creates the handle of a job that is known by its id, such as one of an earlier request.
    ///
    /// If the job is of another type, [`ended`](Self::ended) returns an error.
    #[must_use]
    pub const fn new(id: JobId) -> Self {
        Self { id, job: PhantomData }
    }

    /// Returns the job's identity.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Waits until the job has ended, but not longer than `wait`, and returns its end, or its state if it has not ended. `queue` must
    /// be the queue that stores the job.
    ///
    /// For a job that failed or was cancelled, it returns `Ok`. With `Duration::ZERO`, it does not wait.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the result is not a value of the job's type: the error names the type and the place in the result, and no value.
    /// `Invalid` if the job is of another kind. The errors of [`Admin::ended`].
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub async fn ended(&self, queue: &dyn Admin, wait: Duration) -> Result<Ended<J::Output>, QueueError> {
        let jobs = queue.ended(&[self.id], wait).await?;
        let Some(job) = jobs.into_iter().next().flatten() else { return Ok(Ended::Gone) };
        check_kind::<J>(&job)?;
        Ok(match job.state {
            State::Completed => Ended::Completed(value::<J>(&job)?),
            State::Discarded => Ended::Discarded(job.errors),
            State::Cancelled => Ended::Cancelled(job.cancel_reason.unwrap_or_default()),
            state => Ended::NotYet(state),
        })
    }
}

impl<J: Job> EnqueuedJob<J> {
    /// Returns the handle of the stored job, which waits for its end and returns its result.
    ///
    /// If the job was not stored, because another one holds its unique key, this is the handle of that one.
    #[must_use]
    pub const fn handle(&self) -> JobHandle<J> {
        JobHandle::new(self.receipt().id())
    }
}

fn check_kind<J: Job>(job: &JobRecord) -> Result<(), QueueError> {
    let name = job.name.as_str();
    if name == J::NAME || J::ALIASES.contains(&name) {
        return Ok(());
    }
    Err(QueueError::invalid(format!("job {} is a `{name}`, not a `{}`", job.id, J::NAME)))
}

/// Decodes the result of a completed job.
fn value<J: Job>(job: &JobRecord) -> Result<J::Output, QueueError> {
    decode_result(job.result.as_ref()).map_err(|reason| {
        let text =
            format!("the result of job {} (`{}`) is not a `{}`", job.id, job.name, type_name::<J::Output>());
        QueueError::new(QueueErrorKind::Corrupt, text).with_source(reason)
    })
}

impl<J> Clone for JobHandle<J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for JobHandle<J> {}

impl<J: Job> fmt::Debug for JobHandle<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.id).field("job", &J::NAME).finish()
    }
}
