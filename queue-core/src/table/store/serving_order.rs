//! The order in which the partitions of a queue are served.

use std::collections::BTreeSet;

use crate::contract::clock::Timestamp;

/// The partitions of a queue that may start a job, and the instants at which others may.
///
/// **Invariant:** each partition is here exactly as the last [`Standing`] that was stored for it.
#[derive(Debug, Default)]
pub(super) struct ServingOrder {
    /// The partitions that may start a job: by load, then turn.
    open: BTreeSet<(u64, u64, u32)>,
    /// The instants at which partitions may start more jobs than are counted.
    steps: BTreeSet<(Timestamp, u32)>,
    /// The sum of the jobs that the partitions may start.
    startable: usize,
}

/// The jobs that a partition may start, and its place in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The number of its ready jobs that may start now. More may start from `step` on.
    pub(super) startable: usize,
    /// Its load and turn, if it may start a job now.
    pub(super) place: Option<(u64, u64)>,
    /// The instant at which it may start more jobs, if none ends before.
    pub(super) step: Option<Timestamp>,
}

impl ServingOrder {
    /// Moves a partition from its old standing to the new one.
    pub(super) fn replace(&mut self, number: u32, old: Standing, new: Standing) {
        self.startable = self.startable - old.startable + new.startable;
        if new.place != old.place {
            old.place.map(|(load, turn)| self.open.remove(&(load, turn, number)));
            self.open.extend(new.place.map(|(load, turn)| (load, turn, number)));
        }
        if new.step != old.step {
            old.step.map(|at| self.steps.remove(&(at, number)));
            self.steps.extend(new.step.map(|at| (at, number)));
        }
    }

    /// Returns the partition that is served next.
    pub(super) fn first(&self) -> Option<u32> {
        self.open.first().map(|(_, _, number)| *number)
    }

    /// Returns the partitions that may start more jobs at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Vec<u32> {
        self.steps.iter().take_while(|(at, _)| *at <= now).map(|(_, number)| *number).collect()
    }

    /// Returns the next instant at which a partition may start more jobs.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        self.steps.first().map(|(at, _)| *at)
    }

    /// Returns how many jobs the partitions may start now.
    pub(super) fn startable(&self) -> usize {
        self.startable
    }
}
