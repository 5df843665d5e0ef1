//! The ready jobs of one queue, in order.

use super::index::Index;
use crate::contract::admin::QueueCounts;
use crate::contract::name::QueueName;
use crate::contract::record::State;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: QueueName,
    /// Whether a job was pushed to the queue or the queue was paused. A queue that was only waited for is not counted.
    pub(super) is_used: bool,
    pub(super) is_paused: bool,
    pub(super) is_changed: bool,
    /// The ready jobs, by priority, then `run_at`, then push order.
    pub(super) ready: Index,
    counts: [u64; State::ALL.len()],
}

impl Lane {
    pub(super) fn new(name: QueueName) -> Self {
        Self {
            name,
            is_used: false,
            is_paused: false,
            is_changed: false,
            ready: Index::default(),
            counts: [0; State::ALL.len()],
        }
    }

    /// Returns how many jobs a claim would find.
    pub(super) fn deliverable(&self) -> usize {
        if self.is_paused { 0 } else { self.ready.len() }
    }

    pub(super) fn count(&mut self, state: State, change: i64) {
        if let Some(count) = self.counts.get_mut(state as usize) {
            *count = count.saturating_add_signed(change);
        }
    }

    pub(super) fn counts(&self) -> QueueCounts {
        let mut counts = QueueCounts::new(self.name.clone(), self.is_paused);
        for state in State::ALL {
            counts.set(state, self.counts.get(state as usize).copied().unwrap_or_default());
        }
        counts
    }
}
