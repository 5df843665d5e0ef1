//! The callers that wait until a queue has no unfinished job.

use tokio::sync::oneshot;

use super::MemoryQueue;

/// A sender for each waiting caller.
#[derive(Default)]
pub(super) struct IdleWaiters(Vec<oneshot::Sender<()>>);

impl IdleWaiters {
    fn add(&mut self) -> oneshot::Receiver<()> {
        // Otherwise the senders of dropped waits would gather here while the queue is busy.
        self.0.retain(|waiter| !waiter.is_closed());
        let (waiter, idle) = oneshot::channel();
        self.0.push(waiter);
        idle
    }

    /// Removes all senders. The caller wakes them after the lock.
    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(super) fn wake(self) {
        for waiter in self.0 {
            // The wait may have been dropped meanwhile.
            waiter.send(()).ok();
        }
    }
}

impl MemoryQueue {
    /// Waits until the queue has no unfinished job: none is scheduled, available, executing or retryable.
    ///
    /// It returns at once if there is none. It runs no jobs, so a service must run them meanwhile. New jobs may have been
    /// pushed by the time the caller continues; a job that enqueues another one before it ends keeps the queue busy.
    ///
    /// ```
    /// # use queue_core::{background_job, jobs, QueueExt as _};
    /// # use queue_tokio::{MemoryQueue, QueueService};
    /// # #[background_job]
    /// # async fn greet(name: &str) { println!("hello, {name}"); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let queue = MemoryQueue::new();
    /// queue.enqueue(greet::new("world")).await?;
    ///
    /// QueueService::new(queue.clone(), jobs![greet]).run_until(queue.idle()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn idle(&self) {
        let idle = self.0.locked(|state, _| (state.table.unfinished() > 0).then(|| state.idle.add()));
        if let Some(idle) = idle {
            // The sender is dropped only with the queue, which lives for as long as this call.
            drop(idle.await);
        }
    }
}
