//! How many finished jobs are kept.

use super::{JobTable, Slot};
use crate::contract::admin::Prune;
use crate::contract::clock::Timestamp;
use crate::contract::record::State;

/// How many finished jobs of each state a table keeps. If there are more, it removes the oldest.
///
/// Completed jobs that are not kept are still counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// The maximum number of completed jobs.
    pub completed: usize,
    /// The maximum number of discarded jobs.
    pub discarded: usize,
    /// The maximum number of cancelled jobs.
    pub cancelled: usize,
}

impl Retention {
    /// Keeps all finished jobs until they are pruned.
    #[must_use]
    pub const fn everything() -> Self {
        Self { completed: usize::MAX, discarded: usize::MAX, cancelled: usize::MAX }
    }

    /// Sets the maximum number of completed jobs.
    #[must_use]
    pub const fn completed(mut self, count: usize) -> Self {
        self.completed = count;
        self
    }

    /// Sets the maximum number of discarded jobs.
    #[must_use]
    pub const fn discarded(mut self, count: usize) -> Self {
        self.discarded = count;
        self
    }

    /// Sets the maximum number of cancelled jobs.
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

/// Keeps no completed jobs, which are only counted, and the newest 10,000 discarded and 10,000 cancelled ones.
impl Default for Retention {
    fn default() -> Self {
        Self { completed: 0, discarded: 10_000, cancelled: 10_000 }
    }
}

impl JobTable {
    /// Finishes a job now.
    pub(super) fn finish(&mut self, slot: Slot, state: State) {
        self.finish_at(slot, state, self.now);
    }

    /// Finishes a job at an instant: now, or when its last lease expired.
    pub(super) fn finish_at(&mut self, slot: Slot, state: State, at: Timestamp) {
        self.store.unlink(slot);
        self.unfinished -= 1;
        self.store[slot].state_time = at;
        let job = &self.store[slot];
        if let Some(unique) = job.unique() {
            self.unique.finish(self.store.name_of(job), unique, job.id, self.now);
        }
        self.note_end(self.store[slot].id);
        let kept = self.config.retention.of(state);
        if kept == 0 {
            self.store.count_finished(slot, state);
            self.store.remove(slot);
            return;
        }
        self.store.link(slot, state);
        self.store.keep_finished(state, kept);
    }

    /// Removes finished jobs that are old enough, in the order in which they finished, across all states.
    pub(super) fn prune_finished(&mut self, prune: &Prune) -> u64 {
        let mut pruned = 0;
        while pruned < prune.limit {
            let Some(slot) = self.longest_finished(prune) else { break };
            self.remove(slot);
            pruned += 1;
        }
        pruned as u64
    }

    /// Returns the job that finished first among those that are old enough.
    fn longest_finished(&self, prune: &Prune) -> Option<Slot> {
        let oldest = State::ALL.into_iter().filter_map(|state| {
            let age = prune.age(state)?;
            let oldest = self.store.oldest_finished(state)?;
            (oldest.at.saturating_add(age) <= self.now).then_some(oldest)
        });
        oldest.min().map(|oldest| oldest.slot)
    }

    /// Removes a job that is in an index.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.store.unlink(slot);
        if !self.store[slot].state.is_finished() {
            self.unfinished -= 1;
        }
        self.note_end(self.store[slot].id);
        self.store.remove(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::body::Body;
    use crate::contract::job::NewJob;
    use crate::contract::name::QueueName;
    use crate::contract::queue::{Delivery, Demand};
    use crate::contract::settlement::{Settlement, Transition};
    use crate::table::TableConfig;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn push(table: &mut JobTable, count: usize) {
        let jobs = (0..count).map(|_| NewJob::new("job", Body::stored("null"))).collect();
        table.push(NOW, jobs).expect("there is no bound");
    }

    fn claim(table: &mut JobTable, count: usize) -> Vec<Delivery> {
        let mut claimed = Vec::with_capacity(count);
        table.claim_from(&QueueName::DEFAULT, count, &Demand::new("default", count), &mut claimed);
        claimed
    }

    fn complete(table: &mut JobTable, count: usize) {
        let jobs = claim(table, count).into_iter();
        let ends = jobs.map(|job| Settlement::new(job.lease, Transition::complete())).collect();
        table.settle(NOW, ends).expect("nothing follows");
    }

    /// Memory is released when the table is empty after a burst, or when few jobs are left and as many were removed as it had
    /// room for.
    #[test]
    fn memory_is_released_rarely_and_at_the_end() {
        // Jobs stored, jobs of them that stay, jobs that come and go later, and the capacity at the end.
        let cases = [
            (4096, 0, 0, 4096),
            (8192, 0, 0, 0),
            (8192, 1, 0, 8192),
            (8192, 1, 1, 1),
            (8192, 1023, 1023, 1023),
            (8192, 1024, 2000, 8192),
        ];

        for (stored, stay, later, room) in cases {
            let mut table = JobTable::new(TableConfig::default());
            push(&mut table, stored);
            claim(&mut table, stay);

            complete(&mut table, stored - stay);
            for _ in 0..later {
                push(&mut table, 1);
                complete(&mut table, 1);
            }

            assert_eq!(table.store.capacity(), room, "{stored} jobs, {stay} of them stay, {later} later");
        }
    }
}
