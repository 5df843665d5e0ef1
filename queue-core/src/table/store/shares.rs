//! The partitions of a queue, their limits, and the one that is served next.
//!
//! The partition with the fewest running jobs for its weight is served next; of several, the one that has waited longest since it
//! was last served or came to have a ready job. Only partitions that may start a job now are *open*. The others wait for a place,
//! which a job that ends frees, or for an instant, which `advance` notices.

use std::collections::HashMap;

use slab::Slab;

use super::ordered_set::{OrderedSet, Position};
use super::partition_state::PartitionState;
use super::serving_order::ServingOrder;
use crate::contract::clock::Timestamp;
use crate::contract::limit::Limit;
use crate::contract::limit_use::LimitUse;
use crate::contract::partition::Partition;
use crate::contract::queue_limits::StoredLimits;
use crate::contract::usage::{PartitionUsage, Usage};

/// The number of the partition of jobs that name none. It exists as long as the queue.
const UNNAMED: u32 = 0;

/// The partitions of one queue. A queue without partitions and limits has none of this.
///
/// **Invariant:** `ready` and the running jobs of `total` are the sums over the partitions, and `order` has each partition as it is.
#[derive(Debug)]
pub(in crate::table) struct Shares {
    pub(in crate::table) limits: StoredLimits,
    partitions: Slab<PartitionState>,
    names: HashMap<Partition, u32>,
    total: LimitUse,
    ready: usize,
    order: ServingOrder,
    /// The last number in the order in which partitions were served or came to have a ready job.
    turn: u64,
    /// The instant to which the table was advanced.
    now: Timestamp,
    /// How many partitions the last sweep has left.
    swept: usize,
}

impl Shares {
    /// Creates the partitions of a queue whose jobs have named none so far.
    pub(super) fn new(ready: OrderedSet, running: u64, now: Timestamp) -> Self {
        let mut shares = Self {
            limits: StoredLimits::default(),
            partitions: Slab::new(),
            names: HashMap::new(),
            total: LimitUse::unused(Limit::NONE),
            ready: ready.len(),
            order: ServingOrder::default(),
            turn: 0,
            now,
            swept: 0,
        };
        shares.total.running = running;
        let unnamed = shares.number(&Partition::NONE);
        debug_assert_eq!(unnamed, UNNAMED, "it is the first partition");
        let partition = shares.state(unnamed);
        (partition.ready, partition.limit_use.running) = (ready, running);
        shares.refresh(unnamed);
        shares
    }

    /// Returns the number of a partition, and creates the partition at the first use.
    pub(super) fn number(&mut self, name: &Partition) -> u32 {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        self.sweep();
        let key = self.partitions.insert(PartitionState::new(name.clone(), self.limits.of(name)));
        let number = u32::try_from(key).unwrap_or_else(|_| panic!("a queue has at most 2³² partitions"));
        self.names.insert(name.clone(), number);
        number
    }

    pub(super) fn name(&self, number: u32) -> &Partition {
        &self.partitions[number as usize].name
    }

    /// Counts the stored jobs of a partition.
    pub(super) fn count_job(&mut self, number: u32, change: i64) {
        let partition = self.state(number);
        partition.jobs = partition.jobs.saturating_add_signed(change);
    }

    /// Adds a ready job.
    pub(super) fn insert(&mut self, number: u32, job: Position) {
        self.ready += 1;
        if self.state(number).ready.len() == 0 {
            self.give_turn(number);
        }
        self.state(number).ready.insert(job);
        self.refresh(number);
    }

    /// Removes a ready job. Returns whether it was there.
    pub(super) fn remove(&mut self, number: u32, job: &Position) -> bool {
        let was_there = self.state(number).ready.remove(job);
        self.ready -= usize::from(was_there);
        self.refresh(number);
        was_there
    }

    /// Removes and returns the ready job that starts next, if one may start now, and counts it as running.
    pub(super) fn pop(&mut self) -> Option<Position> {
        let now = self.now;
        if self.total.startable(1, now) == 0 {
            return None;
        }
        let number = self.order.first()?;
        let partition = self.state(number);
        let job = partition.ready.pop_first()?;
        partition.limit_use.start(now);
        self.total.start(now);
        self.ready -= 1;
        self.give_turn(number);
        self.refresh(number);
        Some(job)
    }

    /// Counts the end of a running job.
    pub(super) fn end(&mut self, number: u32) {
        self.state(number).limit_use.end(1);
        self.total.end(1);
        self.refresh(number);
    }

    /// Holds a partition: none of its jobs starts before an instant.
    pub(in crate::table) fn hold(&mut self, number: u32, until: Timestamp) {
        self.state(number).limit_use.hold(until);
        self.refresh(number);
    }

    /// Applies the limits after they were changed.
    pub(in crate::table) fn apply_limits(&mut self) {
        self.total.limit = self.limits.total();
        let numbers: Vec<_> = self.names.values().copied().collect();
        for number in numbers {
            let limit = self.limits.of(self.name(number));
            self.state(number).limit_use.limit = limit;
            self.refresh(number);
        }
    }

    /// Opens the partitions whose instants have come. Returns whether more jobs may start than before.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        let is_total_due = self.total_step().is_some_and(|at| at <= now);
        self.now = self.now.max(now);
        let due = self.order.due(now);
        due.iter().for_each(|number| self.refresh(*number));
        is_total_due || !due.is_empty()
    }

    /// Returns the next instant at which more jobs may start, if no job ends before.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        self.order.next_step().into_iter().chain(self.total_step()).min()
    }

    fn total_step(&self) -> Option<Timestamp> {
        self.total.more_at(self.order.startable(), self.startable(), self.now)
    }

    /// Returns how many jobs a claim would find.
    pub(super) fn startable(&self) -> usize {
        self.total.startable(self.order.startable(), self.now)
    }

    /// Returns the number of ready jobs.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    /// Returns the earliest `run_at` of the ready jobs.
    pub(super) fn oldest_ready(&self, priorities: usize) -> Option<Timestamp> {
        self.partitions.iter().filter_map(|(_, partition)| partition.ready.least_run_at(priorities)).min()
    }

    /// Returns the use of the queue as a whole, and of each partition that is in use.
    pub(in crate::table) fn usage(&self) -> (Usage, Vec<PartitionUsage>) {
        let partitions = self.partitions.iter().filter_map(|(_, partition)| partition.usage(self.now));
        (self.total.usage(self.ready as u64, self.now), partitions.collect())
    }

    /// Sets the turn of a partition to the next number in the order of those that were served or came to have a ready job.
    fn give_turn(&mut self, number: u32) {
        self.turn += 1;
        let turn = self.turn;
        self.state(number).turn = turn;
    }

    /// Brings the order in line with a partition.
    fn refresh(&mut self, number: u32) {
        let now = self.now;
        let (old, new) = self.state(number).restand(now);
        self.order.replace(number, old, new);
    }

    /// Removes the partitions without jobs of which nothing has to be remembered. It does so rarely, so the cost per partition
    /// stays constant.
    fn sweep(&mut self) {
        const WORTH_IT: usize = 64;
        if self.partitions.len() < 2 * self.swept + WORTH_IT {
            return;
        }
        let (now, names) = (self.now, &mut self.names);
        self.partitions.retain(|number, partition| {
            let is_used = number == UNNAMED as usize || partition.is_used(now);
            if !is_used {
                names.remove(&partition.name);
            }
            is_used
        });
        self.swept = self.partitions.len();
    }

    fn state(&mut self, number: u32) -> &mut PartitionState {
        &mut self.partitions[number as usize]
    }
}
