//! How many finished jobs are kept.

use super::{JobTable, Slot};
use crate::clock::Timestamp;
use crate::inspect::{Prune, State};

/// How many finished jobs of each state a table keeps; of more, the oldest go.
///
/// Completed jobs that are not kept are still counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// How many completed jobs are kept.
    pub completed: usize,
    /// How many discarded jobs are kept.
    pub discarded: usize,
    /// How many cancelled jobs are kept.
    pub cancelled: usize,
}

impl Retention {
    /// Keeps everything until it is pruned.
    #[must_use]
    pub const fn everything() -> Self {
        Self { completed: usize::MAX, discarded: usize::MAX, cancelled: usize::MAX }
    }

    /// Sets how many completed jobs are kept.
    #[must_use]
    pub const fn completed(mut self, count: usize) -> Self {
        self.completed = count;
        self
    }

    /// Sets how many discarded jobs are kept.
    #[must_use]
    pub const fn discarded(mut self, count: usize) -> Self {
        self.discarded = count;
        self
    }

    /// Sets how many cancelled jobs are kept.
    #[must_use]
    pub const fn cancelled(mut self, count: usize) -> Self {
        self.cancelled = count;
        self
    }

    const fn of(&self, state: State) -> usize {
        match state {
            State::Completed => self.completed,
            State::Discarded => self.discarded,
            State::Cancelled => self.cancelled,
            State::Scheduled | State::Available | State::Executing | State::Retryable => usize::MAX,
        }
    }
}

/// Counts completed jobs and keeps none; keeps the newest 10,000 discarded and the newest 10,000 cancelled ones.
impl Default for Retention {
    fn default() -> Self {
        Self { completed: 0, discarded: 10_000, cancelled: 10_000 }
    }
}

impl JobTable {
    /// Ends a job's life now.
    pub(super) fn finish(&mut self, slot: Slot, state: State) {
        self.finish_at(slot, state, self.now);
    }

    /// Ends a job's life at an instant: now, or when its last lease expired.
    pub(super) fn finish_at(&mut self, slot: Slot, state: State, at: Timestamp) {
        self.leave(slot);
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(entry.lane as usize) else {
            return;
        };
        self.unfinished = self.unfinished.saturating_sub(1);
        entry.stamp = at;
        entry.state = state;
        if let Some(unique) = entry.extras.as_ref().and_then(|extras| extras.unique.as_ref()) {
            self.unique.finish(&entry.name, unique, entry.id, self.now);
        }
        let kept = self.config.retention.of(state);
        lane.count(state, 1);
        if kept == 0 {
            self.drop_entry(slot);
            return;
        }
        let Some(finished) = self.finished.get_mut(state as usize) else {
            return;
        };
        finished.insert(entry.stamped(slot));
        if finished.len() > kept
            && let Some(oldest) = finished.pop_first()
        {
            self.drop_entry(oldest.slot);
        }
    }

    /// Removes finished jobs that are old enough, the longest finished first, whatever their state.
    pub(super) fn prune_finished(&mut self, prune: &Prune) -> u64 {
        let mut pruned = 0;
        while pruned < prune.limit {
            let Some(slot) = self.longest_finished(prune) else { break };
            self.remove(slot);
            pruned += 1;
        }
        pruned as u64
    }

    /// Finds the job that finished first of those that are old enough.
    fn longest_finished(&self, prune: &Prune) -> Option<Slot> {
        let oldest = State::ALL.into_iter().filter_map(|state| {
            let age = prune.age(state)?;
            let oldest = *self.finished.get(state as usize)?.first()?;
            (oldest.at.saturating_add(age) <= self.now).then_some(oldest)
        });
        oldest.min().map(|oldest| oldest.slot)
    }

    /// Removes a job that is in an index.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.leave(slot);
        if self.entry(slot).is_some_and(|entry| !entry.state.is_finished()) {
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        self.drop_entry(slot);
    }

    /// Forgets a job that is in no index any more.
    fn drop_entry(&mut self, slot: Slot) {
        if let Some(entry) = self.entries.try_remove(slot as usize) {
            self.identities.forget(entry.id);
            self.removed += 1;
            self.give_memory_back();
        }
    }

    /// Gives memory back once a burst is over: as seldom as makes its cost a constant share of each removal's.
    fn give_memory_back(&mut self) {
        const WORTH_IT: usize = 4096;
        let (used, capacity) = (self.entries.len(), self.entries.capacity());
        let is_mostly_empty = capacity > WORTH_IT && used < capacity / 8;
        if is_mostly_empty && (used == 0 || self.removed >= capacity) {
            self.removed = 0;
            self.entries.shrink_to_fit();
            self.identities.give_memory_back();
        }
    }
}
