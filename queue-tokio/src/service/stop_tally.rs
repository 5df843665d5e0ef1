//! The ends of jobs that were recorded during a stop.

use std::sync::atomic::{AtomicUsize, Ordering};

use queue_core::Transition;

/// Counts the jobs whose ends were recorded since the stop was asked for.
#[derive(Debug, Default)]
pub(super) struct StopTally {
    finished: AtomicUsize,
    released: AtomicUsize,
}

impl StopTally {
    /// Counts a recorded settlement.
    pub(super) fn add(&self, transition: &Transition) {
        let count = if matches!(transition, Transition::Release) { &self.released } else { &self.finished };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of jobs whose attempts ended.
    pub(super) fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    /// Returns the number of jobs that were returned to the queue, uncounted.
    pub(super) fn released(&self) -> usize {
        self.released.load(Ordering::Relaxed)
    }
}
