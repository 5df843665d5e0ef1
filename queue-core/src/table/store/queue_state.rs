//! One queue: its ready jobs, in order, and the counts of all its jobs.

use super::ordered_set::{OrderedSet, Position};
use super::shares::Shares;
use crate::contract::admin::QueueCounts;
use crate::contract::clock::Timestamp;
use crate::contract::name::QueueName;
use crate::contract::partition::Partition;
use crate::contract::record::State;

/// One queue.
#[derive(Debug)]
pub(in crate::table) struct QueueState {
    pub(in crate::table) name: QueueName,
    /// Whether a job was pushed to the queue or the queue was paused. A queue that was only waited for is not counted.
    pub(in crate::table) is_used: bool,
    pub(super) is_paused: bool,
    pub(super) is_changed: bool,
    /// The ready jobs, by priority, then `run_at`, then push order. Empty if the queue has `shares`.
    ready: OrderedSet,
    /// The partitions, once a job has named one or a limit was set.
    shares: Option<Box<Shares>>,
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
            shares: None,
            counts: [0; State::ALL.len()],
        }
    }

    /// Returns how many jobs a claim would find.
    #[inline]
    pub(in crate::table) fn deliverable(&self) -> usize {
        if self.is_paused {
            return 0;
        }
        self.shares.as_ref().map_or_else(|| self.ready.len(), |shares| shares.startable())
    }

    /// Returns the partitions, if the queue has any but that of the jobs that name none, or limits.
    pub(in crate::table) fn shares(&self) -> Option<&Shares> {
        self.shares.as_deref()
    }

    pub(super) fn shares_mut(&mut self) -> Option<&mut Shares> {
        self.shares.as_deref_mut()
    }

    /// Returns the partitions, and creates them at the first use.
    pub(super) fn shares_or_new(&mut self, now: Timestamp) -> &mut Shares {
        let Self { shares, ready, counts, .. } = self;
        shares.get_or_insert_with(|| {
            Box::new(Shares::new(std::mem::take(ready), counts[State::Executing as usize], now))
        })
    }

    /// Returns the name of a partition.
    pub(super) fn partition_name(&self, number: u32) -> Partition {
        self.shares.as_ref().map(|shares| shares.name(number).clone()).unwrap_or_default()
    }

    /// Adds a ready job of a partition.
    #[inline]
    pub(super) fn insert_ready(&mut self, partition: u32, job: Position) {
        match &mut self.shares {
            None => self.ready.insert(job),
            Some(shares) => shares.insert(partition, job),
        }
    }

    /// Removes a ready job of a partition. Returns whether it was there.
    #[inline]
    pub(super) fn remove_ready(&mut self, partition: u32, job: &Position) -> bool {
        match &mut self.shares {
            None => self.ready.remove(job),
            Some(shares) => shares.remove(partition, job),
        }
    }

    /// Removes and returns the ready job that starts next, if one may start, and counts it as running in its partition.
    #[inline]
    pub(super) fn pop_ready(&mut self) -> Option<Position> {
        match &mut self.shares {
            None => self.ready.pop_first(),
            Some(shares) => shares.pop(),
        }
    }

    /// Counts the end of a running job of a partition. Returns whether more jobs may start then.
    #[inline]
    pub(super) fn end_running(&mut self, partition: u32) -> bool {
        self.shares.as_mut().map(|shares| shares.end(partition)).is_some()
    }

    /// Returns the next instant at which limits let more jobs start, if no job ends before.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        self.shares.as_ref().filter(|_| !self.is_paused)?.next_step()
    }

    /// Returns the number of ready jobs.
    pub(in crate::table) fn ready(&self) -> usize {
        self.shares.as_ref().map_or_else(|| self.ready.len(), |shares| shares.ready())
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
        match &self.shares {
            None => self.ready.least_run_at(priorities),
            Some(shares) => shares.oldest_ready(priorities),
        }
    }

    pub(in crate::table) fn counts(&self) -> QueueCounts {
        let mut counts = QueueCounts::new(self.name.clone(), self.is_paused);
        for state in State::ALL {
            counts.set(state, self.count_of(state));
        }
        counts
    }
}
