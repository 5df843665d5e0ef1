//! Attempts that have ended and wait to be settled.

use std::sync::Arc;

use crossbeam_queue::SegQueue;
use queue_core::Settlement;
use tokio::sync::Notify;

use super::held::Held;

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    /// Whether it is recorded already, by the job's unit of work.
    pub(super) is_recorded: bool,
    pub(super) held: Arc<Held>,
}

/// Where workers leave the attempts that have ended. It never holds a worker up.
///
/// **Invariant:** whoever leaves one here rings before it waits for anything, after a job that took more than a
/// millisecond, and before it begins the last job at hand, or any where the service was told how much to claim ahead; so
/// results gather only while jobs are short and there are more. While some were claimed ahead without being told, the loop
/// rings every two milliseconds.
#[derive(Debug, Default)]
pub(super) struct EndedAttempts {
    attempts: SegQueue<Ended>,
    bell: Notify,
}

impl EndedAttempts {
    /// How many go in one settlement at most.
    pub(super) const BATCH: usize = 1000;

    pub(super) fn push(&self, ended: Ended) {
        self.attempts.push(ended);
    }

    /// Has what was left here settled; `false` if there is nothing.
    pub(super) fn ring(&self) -> bool {
        let is_needed = !self.attempts.is_empty();
        if is_needed {
            self.bell.notify_one();
        }
        is_needed
    }

    /// Waits until somebody rings.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again: no ring is lost.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes what is here, up to what goes in one settlement with those; for what is left it rings.
    pub(super) fn take_into(&self, batch: &mut Vec<Ended>) {
        while batch.len() < Self::BATCH
            && let Some(ended) = self.attempts.pop()
        {
            batch.push(ended);
        }
        self.ring();
    }
}
