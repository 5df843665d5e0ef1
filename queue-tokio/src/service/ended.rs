//! Attempts that have ended and wait to be settled.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue_core::{JobFacts, Settlement};
use tokio::sync::Notify;

use super::hand::Place;

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    pub(super) facts: JobFacts,
    pub(super) place: Place,
}

/// The attempts that have ended and wait to be settled, oldest first.
#[derive(Debug, Default)]
pub(super) struct EndedAttempts {
    waiting: Mutex<VecDeque<Ended>>,
    pub(super) arrived: Notify,
}

impl EndedAttempts {
    /// How many go in one settlement at most.
    const BATCH: usize = 1000;

    pub(super) fn push(&self, ended: Ended) {
        let mut waiting = self.lock();
        let was_empty = waiting.is_empty();
        waiting.push_back(ended);
        drop(waiting);
        if was_empty {
            self.arrived.notify_one();
        }
    }

    /// Takes what has gathered, up to a batch.
    pub(super) fn take(&self) -> Vec<Ended> {
        let mut waiting = self.lock();
        let count = waiting.len().min(Self::BATCH);
        waiting.drain(..count).collect()
    }

    /// Puts back what could not be settled.
    pub(super) fn put_back(&self, ended: Vec<Ended>) {
        let mut waiting = self.lock();
        for ended in ended.into_iter().rev() {
            waiting.push_front(ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
