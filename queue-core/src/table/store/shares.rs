//! The partitions of a queue: their ready jobs, their limits, and the one that is served next.
//!
//! The partition with the fewest running jobs for its weight is served next; of several, the one that has waited longest since it
//! was last served or came to have a ready job. Only partitions that may start a job now are *open*. The others wait for a place,
//! which a job that ends frees, or for an instant, which `advance` notices.

use std::collections::{BTreeSet, HashMap};

use slab::Slab;

use super::ordered_set::{OrderedSet, Position};
use crate::contract::clock::Timestamp;
use crate::contract::limit::Limit;
use crate::contract::partition::Partition;
use crate::contract::queue_limits::StoredLimits;
use crate::contract::rate::Rate;
use crate::contract::usage::{PartitionUsage, Usage};

/// Multiplies the number of running jobs before it is divided by a weight.
const LOAD_UNIT: u64 = 1_000_000;

/// The number of the partition of jobs that name none. It exists as long as the queue.
const UNNAMED: u32 = 0;

/// The partitions of one queue. A queue without partitions and limits has none of this.
///
/// **Invariant:** `ready`, `running` and `startable` are the sums over the partitions, and a partition is in `open` and in `steps`
/// exactly as its `place` and its `step` say.
#[derive(Debug)]
pub(in crate::table) struct Shares {
    pub(in crate::table) limits: StoredLimits,
    partitions: Slab<PartitionState>,
    names: HashMap<Partition, u32>,
    total: Gate,
    ready: usize,
    /// The sum of what the partitions may start, as far as known: see [`PartitionState::startable`].
    startable: usize,
    /// The partitions that may start a job: by load, then turn.
    open: BTreeSet<(u64, u64, u32)>,
    /// The instants at which partitions may start more jobs than are counted.
    steps: BTreeSet<(Timestamp, u32)>,
    /// The last number in the order in which partitions were served or came to have a ready job.
    turn: u64,
    /// The instant to which the table was advanced.
    now: Timestamp,
    /// How many partitions the last sweep has left.
    swept: usize,
}

/// The use of one limit.
#[derive(Debug, Default)]
struct Gate {
    limit: Limit,
    running: u32,
    /// The state of the rate. It also holds a partition that was throttled, without a rate.
    free_at: Timestamp,
}

#[derive(Debug)]
struct PartitionState {
    name: Partition,
    gate: Gate,
    ready: OrderedSet,
    /// The number of stored jobs of the partition. An unused partition is removed.
    jobs: u64,
    turn: u64,
    /// How many of its ready jobs may start, as of the last refresh. More may start from `step` on.
    startable: usize,
    place: Option<(u64, u64)>,
    step: Option<Timestamp>,
}

impl Gate {
    /// Returns how many of `wanted` jobs may start at `now`.
    fn startable(&self, wanted: usize, now: Timestamp) -> usize {
        if self.free_at > now {
            return 0;
        }
        let room = self.limit.running.map_or(wanted, |most| most.saturating_sub(self.running) as usize);
        let rate = self.limit.rate.map_or(wanted, |rate| rate.available(now, self.free_at) as usize);
        wanted.min(room).min(rate)
    }

    /// Returns the instant from which more than `counted` of `wanted` jobs may start, if no job ends before.
    fn more_at(&self, wanted: usize, counted: usize, now: Timestamp) -> Option<Timestamp> {
        let room = self.limit.running.map_or(wanted, |most| most.saturating_sub(self.running) as usize);
        if counted >= wanted.min(room) {
            return None;
        }
        let at = match self.limit.rate {
            Some(rate) => rate.more_at(self.free_at, u32::try_from(counted).ok()?)?,
            None => self.free_at,
        };
        Some(at).filter(|at| *at > now)
    }

    fn start(&mut self, now: Timestamp) {
        if let Some(rate) = self.limit.rate {
            self.free_at = rate.after(now, self.free_at, 1);
        }
    }

    /// Returns whether past starts or a hold still have an effect.
    fn is_remembered(&self, now: Timestamp) -> bool {
        let is_used = |rate: Rate| rate.available(now, self.free_at) < rate.burst;
        self.free_at > now || self.limit.rate.is_some_and(is_used)
    }

    fn usage(&self, ready: usize, now: Timestamp) -> Usage {
        let next_start = Some(self.free_at).filter(|at| *at > now);
        Usage::new(ready as u64, self.running.into(), self.limit, next_start)
    }
}

impl Shares {
    /// Creates the partitions of a queue whose jobs have named none so far.
    pub(super) fn new(ready: OrderedSet, running: u32, now: Timestamp) -> Self {
        let mut shares = Self {
            limits: StoredLimits::default(),
            partitions: Slab::new(),
            names: HashMap::new(),
            total: Gate { running, free_at: Rate::UNUSED, limit: Limit::NONE },
            ready: ready.len(),
            startable: 0,
            open: BTreeSet::new(),
            steps: BTreeSet::new(),
            turn: 0,
            now,
            swept: 0,
        };
        let unnamed = shares.number(&Partition::NONE);
        debug_assert_eq!(unnamed, UNNAMED, "it is the first partition");
        let partition = shares.state(unnamed);
        (partition.ready, partition.gate.running) = (ready, running);
        shares.refresh(unnamed);
        shares
    }

    /// Returns the number of a partition, and creates the partition at the first use.
    pub(super) fn number(&mut self, name: &Partition) -> u32 {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        self.sweep();
        let gate = Gate { limit: self.limits.of(name), running: 0, free_at: Rate::UNUSED };
        let (name, ready) = (name.clone(), OrderedSet::default());
        let key = self.partitions.insert(PartitionState {
            name: name.clone(),
            gate,
            ready,
            jobs: 0,
            turn: 0,
            startable: 0,
            place: None,
            step: None,
        });
        let number = u32::try_from(key).unwrap_or_else(|_| panic!("a queue has at most 2³² partitions"));
        self.names.insert(name, number);
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
        let turn = self.turn + 1;
        let partition = self.state(number);
        if partition.ready.len() == 0 {
            partition.turn = turn;
            self.turn = turn;
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

    /// Removes and returns the ready job that starts next, if one may start now, and counts its start.
    pub(super) fn pop(&mut self) -> Option<Position> {
        if self.total.startable(1, self.now) == 0 {
            return None;
        }
        let (_, _, number) = *self.open.first()?;
        self.turn += 1;
        let (turn, now) = (self.turn, self.now);
        let partition = self.state(number);
        let job = partition.ready.pop_first()?;
        partition.turn = turn;
        partition.gate.start(now);
        self.total.start(now);
        self.ready -= 1;
        self.refresh(number);
        Some(job)
    }

    /// Changes the number of running jobs of a partition.
    pub(super) fn count_running(&mut self, number: u32, change: i32) {
        let gate = &mut self.state(number).gate;
        gate.running = gate.running.saturating_add_signed(change);
        self.total.running = self.total.running.saturating_add_signed(change);
        self.refresh(number);
    }

    /// Holds a partition: none of its jobs starts before an instant.
    pub(in crate::table) fn hold(&mut self, number: u32, until: Timestamp) {
        let gate = &mut self.state(number).gate;
        gate.free_at = gate.free_at.max(until);
        self.refresh(number);
    }

    /// Applies the limits after they were changed.
    pub(in crate::table) fn apply_limits(&mut self) {
        self.total.limit = self.limits.total();
        let numbers: Vec<_> = self.partitions.iter().map(|(key, _)| key).collect();
        for key in numbers {
            let limit = self.limits.of(&self.partitions[key].name);
            self.partitions[key].gate.limit = limit;
            if let Ok(number) = u32::try_from(key) {
                self.refresh(number);
            }
        }
    }

    /// Opens the partitions whose instants have come. Returns whether more jobs may start than before.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        let mut is_changed = self.total_step().is_some_and(|at| at <= now);
        self.now = self.now.max(now);
        while let Some((at, number)) = self.steps.first().copied().filter(|(at, _)| *at <= now) {
            is_changed = true;
            self.steps.remove(&(at, number));
            self.state(number).step = None;
            self.refresh(number);
        }
        is_changed
    }

    /// Returns the next instant at which more jobs may start, if no job ends before.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        let partitions = self.steps.first().map(|(at, _)| *at);
        partitions.into_iter().chain(self.total_step()).min()
    }

    fn total_step(&self) -> Option<Timestamp> {
        let counted = self.total.startable(self.startable, self.now);
        self.total.more_at(self.startable, counted, self.now)
    }

    /// Returns how many jobs a claim would find.
    pub(super) fn startable(&self) -> usize {
        self.total.startable(self.startable, self.now)
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
        let of = |(_, partition): (usize, &PartitionState)| {
            let usage = partition.gate.usage(partition.ready.len(), self.now);
            PartitionUsage::new(partition.name.clone(), usage)
        };
        let in_use = |used: &PartitionUsage| {
            used.usage.ready > 0 || used.usage.running > 0 || used.usage.next_start.is_some()
        };
        (self.total.usage(self.ready, self.now), self.partitions.iter().map(of).filter(in_use).collect())
    }

    /// Brings the indexes in line with a partition.
    fn refresh(&mut self, number: u32) {
        let now = self.now;
        let partition = self.state(number);
        let (old_place, old_step, old_startable) = (partition.place, partition.step, partition.startable);
        let ready = partition.ready.len();
        partition.startable = partition.gate.startable(ready, now);
        let load =
            u64::from(partition.gate.running) * LOAD_UNIT / u64::from(partition.gate.limit.weight.max(1));
        partition.place = (partition.startable > 0).then_some((load, partition.turn));
        partition.step = partition.gate.more_at(ready, partition.startable, now);
        let (place, step, startable) = (partition.place, partition.step, partition.startable);
        self.startable = self.startable - old_startable + startable;
        if place != old_place {
            old_place.map(|(load, turn)| self.open.remove(&(load, turn, number)));
            self.open.extend(place.map(|(load, turn)| (load, turn, number)));
        }
        if step != old_step {
            old_step.map(|at| self.steps.remove(&(at, number)));
            self.steps.extend(step.map(|at| (at, number)));
        }
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
            let is_used =
                number == UNNAMED as usize || partition.jobs > 0 || partition.gate.is_remembered(now);
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
