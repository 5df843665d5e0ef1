//! The callers that wait until a queue has no unfinished job.

use tokio::sync::oneshot;

use queue_core::{Tick, Timestamp};

use super::{LockedState, MemoryQueue};

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

    /// Returns whether no caller waits.
    fn is_empty(&self) -> bool {
        self.0.is_empty()
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

impl LockedState {
    /// Returns whether no job is left but ticks of schedules that are not due. While no caller waits for that, it does not count ticks.
    pub(super) fn is_idle(&mut self, now: Timestamp) -> bool {
        self.table.unfinished() == 0
            || !self.idle.is_empty() && self.table.work_left(now, Tick::waits_in) == 0
    }
}

impl MemoryQueue {
    /// Waits until the queue has no unfinished job: none is scheduled, available, executing or retryable.
    ///
    /// A [tick](queue_core::Tick) of a schedule that is not due is no work left, so the call does not wait for it.
    /// It returns at once if there is no job. It runs no jobs, so a service must run them meanwhile. New jobs may have been
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
        let idle = self
            .0
            .locked(|state, now| (state.table.work_left(now, Tick::waits_in) > 0).then(|| state.idle.add()));
        if let Some(idle) = idle {
            // The sender is dropped only with the queue, which lives for as long as this call.
            drop(idle.await);
        }
    }
}
