//! One partition of a queue: its ready jobs, and the use of its limit.

use super::ordered_set::OrderedSet;
use super::serving_order::Standing;
use crate::contract::clock::Timestamp;
use crate::contract::limit::Limit;
use crate::contract::limit_use::LimitUse;
use crate::contract::partition::Partition;
use crate::contract::usage::{PartitionUsage, Usage};

/// One partition of a queue.
#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) name: Partition,
    pub(super) limit_use: LimitUse,
    pub(super) ready: OrderedSet,
    /// The number of stored jobs of the partition. An unused partition is removed.
    pub(super) jobs: u64,
    /// When it was last served or came to have a ready job, in the numbers of its queue.
    pub(super) turn: u64,
    /// The standing that is stored in the order of its queue.
    standing: Standing,
}

impl PartitionState {
    /// Creates a partition without jobs.
    pub(super) fn new(name: Partition, limit: Limit) -> Self {
        let (limit_use, ready, standing) =
            (LimitUse::unused(limit), OrderedSet::default(), Standing::default());
        Self { name, limit_use, ready, jobs: 0, turn: 0, standing }
    }

    /// Returns the standing that is stored in the order of the queue, and the one at `now`, which the caller stores.
    pub(super) fn restand(&mut self, now: Timestamp) -> (Standing, Standing) {
        let ready = self.ready.len();
        let startable = self.limit_use.startable(ready, now);
        let place = (startable > 0).then_some((self.limit_use.load(), self.turn));
        let step = self.limit_use.more_at(ready, startable, now);
        let new = Standing { startable, place, step };
        (std::mem::replace(&mut self.standing, new), new)
    }

    /// Returns whether the partition has jobs, or its past starts have an effect.
    pub(super) fn is_used(&self, now: Timestamp) -> bool {
        self.jobs > 0 || self.limit_use.is_remembered(now)
    }

    /// Returns what operators see of it; `None` if it is not in use.
    pub(super) fn usage(&self, now: Timestamp) -> Option<PartitionUsage> {
        let usage = self.limit_use.usage(self.ready.len() as u64, now);
        let Usage { ready, running, next_start, .. } = usage;
        let is_in_use = ready > 0 || running > 0 || next_start.is_some();
        is_in_use.then(|| PartitionUsage::new(self.name.clone(), usage))
    }
}
