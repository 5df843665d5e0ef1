//! One queue: its ready jobs, in order, and the counts of all its jobs.

use super::ordered_set::OrderedSet;
use crate::contract::admin::QueueCounts;
use crate::contract::clock::Timestamp;
use crate::contract::name::QueueName;
use crate::contract::record::State;

/// One queue.
#[derive(Debug)]
pub(in crate::table) struct QueueState {
    pub(in crate::table) name: QueueName,
    /// Whether a job was pushed to the queue or the queue was paused. A queue that was only waited for is not counted.
    pub(in crate::table) is_used: bool,
    pub(super) is_paused: bool,
    pub(super) is_changed: bool,
    /// The ready jobs, by priority, then `run_at`, then push order.
    pub(super) ready: OrderedSet,
    counts: [u64; State::ALL.len()],
}

impl QueueState {
    pub(super) fn new(name: QueueName) -> Self {
        Self {
            name,
            is_used: false,
            is_paused: false,
            is_changed: false,
            ready: OrderedSet::default(),
            counts: [0; State::ALL.len()],
        }
    }

    /// Returns how many jobs a claim would find.
    #[inline]
    pub(in crate::table) fn deliverable(&self) -> usize {
        if self.is_paused { 0 } else { self.ready.len() }
    }

    /// Changes the number of jobs in a state.
    #[inline]
    pub(super) fn count(&mut self, state: State, change: i64) {
        let count = &mut self.counts[state as usize];
        *count = count.saturating_add_signed(change);
    }

    /// Returns the number of jobs in a state.
    pub(in crate::table) fn count_of(&self, state: State) -> u64 {
        self.counts[state as usize]
    }

    /// Returns the earliest `run_at` of the ready jobs. Each priority is looked up once, at most `cap` of them.
    pub(in crate::table) fn oldest_ready(&self, cap: u64) -> Option<Timestamp> {
        let priorities = usize::try_from(cap).unwrap_or(usize::MAX);
        self.ready.first_of_each_priority().take(priorities).map(|first| first.at).min()
    }

    pub(in crate::table) fn counts(&self) -> QueueCounts {
        let mut counts = QueueCounts::new(self.name.clone(), self.is_paused);
        for state in State::ALL {
            counts.set(state, self.count_of(state));
        }
        counts
    }
}
