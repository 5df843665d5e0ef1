//! Attempts that have ended and wait to be settled.

use std::sync::Arc;

use crossbeam_queue::SegQueue;
use queue_core::Settlement;
use tokio::sync::Notify;

use super::held::Held;

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    /// Whether it is recorded already, by the job's unit of work.
    pub(super) is_recorded: bool,
    pub(super) held: Arc<Held>,
}

/// Where workers leave the attempts that have ended. It never holds a worker up.
///
/// **Invariant:** whoever leaves one here rings before it waits for anything, and before it begins a job that may be the
/// last for a while; so results gather only while there is more work at hand.
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

    /// Has what was left here settled.
    pub(super) fn ring(&self) {
        if !self.attempts.is_empty() {
            self.bell.notify_one();
        }
    }

    /// Waits until somebody rings.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again: no ring is lost.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes what is here, up to what goes in one settlement with those.
    pub(super) fn take_into(&self, batch: &mut Vec<Ended>) {
        while batch.len() < Self::BATCH
            && let Some(ended) = self.attempts.pop()
        {
            batch.push(ended);
        }
    }
}
