//! The builder that pushes a job.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::contract::clock::Timestamp;
use crate::contract::enqueued::EnqueuedJob;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::{IntoJob, NewJob};
use crate::contract::name::QueueName;
use crate::contract::partition::Partition;
use crate::contract::queue::{Queue, Receipt};
use crate::contract::unique::Unique;

/// Enqueues jobs. It is implemented for every queue.
pub trait QueueExt: Queue {
    /// Stores a job. Its options can be set before the `.await`.
    ///
    /// ```
    /// # use queue_core::{background_job, Queue, QueueExt as _};
    /// # use std::time::Duration;
    /// #[background_job]
    /// async fn send_welcome(user_id: u64) {}
    ///
    /// # async fn example(queue: &dyn Queue) -> Result<(), queue_core::QueueError> {
    /// queue.enqueue(send_welcome::new(42)).await?;
    /// queue.enqueue(send_welcome::new(43)).delay(Duration::from_secs(300)).priority(-1).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Queue::push`].
    fn enqueue<J: IntoJob>(&self, job: J) -> Enqueue<'_, Self, J> {
        Enqueue::new(self, job.into_job())
    }

    /// Stores a batch of jobs, all or nothing.
    ///
    /// Jobs of several kinds go into one batch as [`NewJob`]s.
    ///
    /// ```
    /// # use queue_core::{background_job, NewJob, Queue, QueueExt as _};
    /// #[background_job]
    /// async fn send_welcome(user_id: u64) {}
    ///
    /// #[background_job]
    /// async fn build_report(year: u32) {}
    ///
    /// # async fn example(queue: &dyn Queue) -> Result<(), queue_core::QueueError> {
    /// queue.enqueue_all((1..=100).map(send_welcome::new)).await?;
    /// queue.enqueue_all([NewJob::from(send_welcome::new(42)), NewJob::from(build_report::new(2026))]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Queue::push`].
    fn enqueue_all<J: IntoJob>(&self, jobs: impl IntoIterator<Item = J>) -> EnqueueAll<'_, Self> {
        EnqueueAll::new(self, jobs.into_iter().map(IntoJob::into_job).collect())
    }
}

impl<Q: Queue + ?Sized> QueueExt for Q {}

/// A job about to be stored: set its options, then `.await` it.
#[must_use = "nothing is stored until this is awaited"]
pub struct Enqueue<'q, Q: ?Sized, J = NewJob> {
    queue: &'q Q,
    job: NewJob,
    kind: PhantomData<fn() -> J>,
}

impl<'q, Q: Queue + ?Sized, J> Enqueue<'q, Q, J> {
    pub(crate) fn new(queue: &'q Q, job: NewJob) -> Self {
        Self { queue, job, kind: PhantomData }
    }

    /// Sets the delay after which the stored job becomes ready.
    ///
    /// If the delay leads past [`Timestamp::MAX`], the push returns `Invalid`.
    pub fn delay(self, delay: Duration) -> Self {
        self.with(|job| job.delay(delay))
    }

    /// Sets the instant at which the job becomes ready. An instant in the past means now.
    pub fn at(self, at: impl Into<Timestamp>) -> Self {
        self.with(|job| job.at(at))
    }

    /// Sets the priority; lower runs first.
    pub fn priority(self, priority: i32) -> Self {
        self.with(|job| job.priority(priority))
    }

    /// Sets the queue in which the job is stored, instead of its default.
    pub fn queue(self, queue: impl Into<QueueName>) -> Self {
        self.with(|job| job.queue(queue))
    }

    /// Sets the maximum number of attempts. If it is zero, the push returns `Invalid`.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.with(|job| job.max_attempts(attempts))
    }

    /// Sets the unique key: at most one unfinished job of this name may hold it.
    pub fn unique(self, unique: impl Into<Unique>) -> Self {
        self.with(|job| job.unique(unique))
    }

    /// Sets the part of its queue to which the job belongs, such as a tenant: see [`Partition`].
    pub fn partition(self, partition: impl Into<Partition>) -> Self {
        self.with(|job| job.partition(partition))
    }

    /// Sets a meta key, which travels with the job.
    pub fn meta(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|job| job.meta(key, value))
    }

    /// Sets the identity, so that repeating an enqueue whose answer was lost stores the job once.
    pub fn id(self, id: JobId) -> Self {
        self.with(|job| job.id(id))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(NewJob) -> NewJob) -> Self {
        self.job = change(self.job);
        self
    }
}

impl<'q, Q: Queue + ?Sized, J> IntoFuture for Enqueue<'q, Q, J> {
    type Output = Result<EnqueuedJob<J>, QueueError>;
    type IntoFuture = Enqueuing<'q, Q, J>;

    fn into_future(self) -> Enqueuing<'q, Q, J> {
        Enqueuing { queue: self.queue, job: Some(self.job), pushing: None, kind: PhantomData }
    }
}

impl<Q: ?Sized, J> fmt::Debug for Enqueue<'_, Q, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue").field("job", &self.job).finish_non_exhaustive()
    }
}

/// The future of an [`Enqueue`].
pub struct Enqueuing<'q, Q: ?Sized, J = NewJob> {
    queue: &'q Q,
    /// The job, until the first poll.
    job: Option<NewJob>,
    /// The push, if it has to wait.
    pushing: Option<BoxFuture<'q, Result<Vec<Receipt>, QueueError>>>,
    kind: PhantomData<fn() -> J>,
}

impl<Q: Queue + ?Sized, J> Future for Enqueuing<'_, Q, J> {
    type Output = Result<EnqueuedJob<J>, QueueError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.job.is_some()
            && let Some(answer) = self.queue.push_at_once(&mut self.job)
        {
            return Poll::Ready(answer.map(EnqueuedJob::new));
        }
        if let Some(job) = self.job.take() {
            self.pushing = Some(self.queue.push(vec![job]));
        }
        let Some(pushing) = &mut self.pushing else {
            return Poll::Ready(Err(QueueError::invalid("`Enqueue` polled after completion")));
        };
        let receipts = ready!(pushing.as_mut().poll(cx))?;
        let missing = || QueueError::unavailable("the queue returned no receipt for the job");
        let receipt = receipts.first().copied().ok_or_else(missing)?;
        Poll::Ready(Ok(EnqueuedJob::new(receipt)))
    }
}

impl<Q: ?Sized, J> fmt::Debug for Enqueuing<'_, Q, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enqueuing")
    }
}

/// A batch of jobs about to be stored; `.await` it.
#[must_use = "nothing is stored until this is awaited"]
pub struct EnqueueAll<'q, Q: ?Sized> {
    queue: &'q Q,
    jobs: Vec<NewJob>,
}

impl<'q, Q: Queue + ?Sized> EnqueueAll<'q, Q> {
    pub(crate) fn new(queue: &'q Q, jobs: Vec<NewJob>) -> Self {
        Self { queue, jobs }
    }
}

impl<'q, Q: Queue + ?Sized> IntoFuture for EnqueueAll<'q, Q> {
    type Output = Result<Vec<Receipt>, QueueError>;
    type IntoFuture = BoxFuture<'q, Result<Vec<Receipt>, QueueError>>;

    fn into_future(self) -> Self::IntoFuture {
        self.queue.push(self.jobs)
    }
}

impl<Q: ?Sized> fmt::Debug for EnqueueAll<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnqueueAll").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}
