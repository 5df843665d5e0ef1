//! Counts background work, for callers that wait for its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use queue_core::{Event, Observer, QueueError, Transition};
use tokio::sync::Notify;

use crate::queues::Queues;

/// Counts attempts and retries, and wakes waiting callers. Cheap to clone; all clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    attempts: AtomicU64,
    retries: AtomicU64,
    settled: Notify,
}

impl Tally {
    /// Returns the number of attempts.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.0.attempts.load(Ordering::Relaxed)
    }

    /// Returns the number of failed attempts that will be retried.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }

    /// Waits until no unfinished job is left.
    ///
    /// # Errors
    ///
    /// The queue failed.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn idle(&self, queues: &Queues) -> Result<(), QueueError> {
        loop {
            // Registered before the check, so that an event in between is not missed.
            let settled = self.0.settled.notified();
            if queues.counts().await?.iter().all(|counts| counts.unfinished() == 0) {
                return Ok(());
            }
            settled.await;
        }
    }
}

impl Observer for Tally {
    fn observe(&self, event: &Event) {
        match event {
            Event::Started(_) => {
                self.0.attempts.fetch_add(1, Ordering::Relaxed);
            }
            Event::Settled { transition, .. } => {
                if matches!(transition, Transition::Retry { .. }) {
                    self.0.retries.fetch_add(1, Ordering::Relaxed);
                }
                self.0.settled.notify_waiters();
            }
            _ => {}
        }
    }
}
