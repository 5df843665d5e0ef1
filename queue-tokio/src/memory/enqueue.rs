//! The enqueue methods that only an in-memory queue has.

use std::future::Future;

use queue_core::Enqueue;
use queue_core::{
    CallScope, IntoJob, IntoOutcome, NewJob, QueueError, QueueErrorKind, QueueExt as _, Receipt,
};

use super::MemoryQueue;

impl MemoryQueue {
    /// Enqueues a closure, which gets a token and a scope of its own, like any job.
    ///
    /// The closure runs once; if it fails, it is discarded with its error.
    ///
    /// ```
    /// # use queue_core::QueueError;
    /// # use queue_tokio::MemoryQueue;
    /// # use std::time::Duration;
    /// # async fn example(queue: MemoryQueue) -> Result<(), QueueError> {
    /// queue.enqueue_fn(async move |scope| {
    ///     tokio::select! {
    ///         () = tokio::time::sleep(Duration::from_secs(5)) => println!("done"),
    ///         () = scope.token().cancelled() => println!("cut short"),
    ///     }
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Queue::push`](queue_core::Queue::push).
    pub fn enqueue_fn<F, Fut>(&self, call: F) -> Enqueue<'_, Self>
    where
        F: FnOnce(CallScope) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        self.enqueue(NewJob::call(call))
    }

    /// Enqueues a job if there is capacity for it now.
    ///
    /// # Errors
    ///
    /// `Full` if there is no capacity, and the errors of [`Queue::push`](queue_core::Queue::push).
    pub fn try_enqueue(&self, job: impl IntoJob) -> Result<Receipt, QueueError> {
        let receipts = self.try_push(vec![job.into_job()])?;
        let missing =
            || QueueError::new(QueueErrorKind::Unavailable, "the queue returned no receipt for the job");
        receipts.first().copied().ok_or_else(missing)
    }
}
