//! The decorator that writes the trace context into pushed jobs.

use async_trait::async_trait;
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{Admin, NewJob, Queue, QueueError, Receipt};

use crate::trace_context::inject;

/// A queue that writes the current trace context into the meta of each job that is pushed through it, as [`inject`] does.
///
/// ```
/// use queue_core::{Admin as _, QueueExt as _, background_job};
/// use queue_otel::TracedQueue;
/// use queue_tokio::MemoryQueue;
///
/// #[background_job]
/// async fn send_welcome(user_id: u64) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::QueueError> {
/// let queue = TracedQueue::new(MemoryQueue::new());
/// queue.enqueue(send_welcome::new(42)).await?; // within a span, its context is in the job's meta
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TracedQueue<Q>(Q);

impl<Q> TracedQueue<Q> {
    /// Wraps a queue.
    pub const fn new(queue: Q) -> Self {
        Self(queue)
    }
}

#[async_trait]
impl<Q: Queue> Decorator for TracedQueue<Q> {
    type Inner = Q;

    fn inner(&self) -> &Q {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        inject(job.as_mut()?);
        self.0.push_at_once(job)
    }

    async fn push(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        jobs.iter_mut().for_each(inject);
        self.0.push(jobs).await
    }
}

impl<Q: Admin> AdminDecorator for TracedQueue<Q> {}
