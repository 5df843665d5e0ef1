//! The contract in executable form: a queue as a pure, synchronous state machine.
//!
//! It has no I/O, no clock and no threads: each method that depends on the time takes the current instant as an argument.
//! `MemoryQueue` is this table behind a lock and two semaphores. The testkit's queue is this table under a virtual clock.
//! The conformance suite compares every other backend with it, step by step.

mod admin;
mod calendar;
mod capacity;
mod claim;
mod entry;
mod identity;
mod index;
mod lane;
mod lease;
mod numbers;
mod push;
mod retention;
mod settle;
mod unique;

use std::hint::black_box;

use slab::Slab;
use smallvec::SmallVec;

pub use retention::Retention;

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::limits::Limits;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::State;

use calendar::Calendar;
use entry::Entry;
use identity::Identities;
use index::{Index, Place};
use lane::Lane;
use numbers::Numbers;
use unique::UniqueKeys;

/// The configuration of a table.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TableConfig {
    /// The maximum number of unfinished jobs; `None` sets no bound.
    pub capacity: Option<u32>,
    /// How many finished jobs are kept.
    pub retention: Retention,
    /// The size limits.
    pub limits: Limits,
    /// A seed that makes the identities which this table creates differ from those of other tables.
    pub seed: u64,
}

/// All jobs of a queue, and every rule of the contract about them.
///
/// **Invariant:** a job is in exactly one index by its state: `due` if scheduled or retryable, its lane's `ready` if
/// available, `leases` if executing, `finished` if completed, discarded or cancelled.
///
/// ```
/// use queue_core::table::{JobTable, TableConfig};
/// use queue_core::{Body, Demand, NewJob, Settled, Settlement, Timestamp, Transition};
///
/// let now = Timestamp::from_micros(1_000_000);
/// let mut table = JobTable::new(TableConfig::default());
///
/// table.push(now, vec![NewJob::new("send_welcome", Body::json("42")?)])?;
/// let claimed = table.claim(now, &Demand::new("default", 1));
/// let settlement = Settlement::new(claimed[0].lease.clone(), Transition::complete());
///
/// assert_eq!(table.settle(now, vec![settlement])?, [Settled::Applied]);
/// # Ok::<(), queue_core::QueueError>(())
/// ```
///
/// Time MUST NOT run backwards from call to call. If a call has an earlier instant, the table uses the latest that it knows.
#[derive(Debug)]
pub struct JobTable {
    config: TableConfig,
    now: Timestamp,
    /// The last number in push order.
    sequence: u64,
    entries: Slab<Entry>,
    /// The number of entries removed since the table last released memory.
    removed: usize,
    identities: Identities,
    jobs: Numbers<JobName>,
    queues: Numbers<QueueName>,
    /// The lane of each queue, by the queue's number.
    lanes: Vec<Lane>,
    /// Scheduled and retryable jobs by the instant at which they become available.
    due: Calendar,
    /// Executing jobs by the instant at which their lease expires.
    leases: Index,
    /// Finished jobs that are kept, by state, oldest first.
    finished: [Index; State::ALL.len()],
    unique: UniqueKeys,
    unfinished: u64,
    /// Lanes whose number of ready jobs may have changed.
    changed: Vec<u32>,
    /// The jobs that were discarded because their leases expired, until a caller logs them.
    discarded: Vec<(JobId, JobName, u32)>,
}

/// How many entries are prefetched before the first of them is moved.
const AT_ONCE: usize = 64;

/// The index of an entry in the table.
type Slot = u32;

impl JobTable {
    /// Creates an empty table.
    #[must_use]
    pub fn new(config: TableConfig) -> Self {
        Self {
            identities: Identities::new(config.seed),
            config,
            now: Timestamp::from_micros(i64::MIN),
            sequence: 0,
            entries: Slab::new(),
            removed: 0,
            jobs: Numbers::default(),
            queues: Numbers::default(),
            lanes: Vec::new(),
            due: Calendar::default(),
            leases: Index::default(),
            finished: Default::default(),
            unique: UniqueKeys::default(),
            unfinished: 0,
            changed: Vec::new(),
            discarded: Vec::new(),
        }
    }

    /// Advances the time: due jobs become available, and expired leases become void.
    ///
    /// Every method with a `now` argument does this first.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.due.first().is_some_and(|first| first.at <= self.now) {
            self.make_due_ready();
        }
        while let Some(&Place { at, slot, .. }) = self.leases.first() {
            if at > self.now {
                break;
            }
            self.expire(slot);
        }
        self.unique.advance(self.now);
    }

    /// Moves due jobs to the available state, in small batches.
    fn make_due_ready(&mut self) {
        loop {
            let mut due = SmallVec::<[Slot; AT_ONCE]>::new();
            while due.len() < AT_ONCE
                && let Some(first) = self.due.pop_until(self.now)
            {
                due.push(first.slot);
            }
            // Prefetch: these entries are cold; touch all of them first so that the cache misses overlap.
            black_box(
                due.iter()
                    .filter_map(|slot| self.entry(*slot))
                    .map(Entry::touch)
                    .fold(0, |all, one| all ^ one),
            );
            for slot in &due {
                if let Some(entry) = self.entries.get(*slot as usize)
                    && let Some(lane) = self.lanes.get_mut(entry.lane as usize)
                {
                    lane.count(entry.state, -1);
                }
                self.place(*slot, State::Available);
            }
            if due.len() < AT_ONCE {
                return;
            }
        }
    }

    /// Returns the instant of the next change by time alone: a job becomes due or a lease expires.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|place| place.at);
        let lease = self.leases.first().map(|place| place.at);
        due.into_iter().chain(lease).min()
    }

    /// Returns how many jobs a claim of this queue would find now.
    #[must_use]
    pub fn ready(&self, queue: &QueueName) -> usize {
        let lane = self.queues.find(queue).and_then(|lane| self.lanes.get(lane as usize));
        lane.map_or(0, Lane::deliverable)
    }

    /// Returns the queues whose number of ready jobs may have changed since the last call: for each, the queue's number and the
    /// number of its ready jobs.
    pub fn drain_changed(&mut self) -> impl Iterator<Item = (usize, usize)> {
        let Self { changed, lanes, .. } = self;
        for lane in &*changed {
            if let Some(lane) = lanes.get_mut(*lane as usize) {
                lane.is_changed = false;
            }
        }
        let lanes: &Vec<Lane> = lanes;
        let ready = |lane: u32| Some((lane as usize, lanes.get(lane as usize)?.deliverable()));
        changed.drain(..).filter_map(ready)
    }

    /// Returns the number of a queue, which never changes. Queues are numbered consecutively from zero.
    pub fn number(&mut self, queue: &QueueName) -> usize {
        self.lane(queue) as usize
    }

    /// Returns the slot of a job.
    fn slot(&self, id: JobId) -> Option<Slot> {
        self.identities.find(id, |slot| self.entries.get(slot as usize).map(|entry| entry.id))
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)
    }

    /// Returns the lane of a queue, and creates it at the first use.
    fn lane(&mut self, queue: &QueueName) -> u32 {
        let lane = self.queues.number(queue);
        if lane as usize == self.lanes.len() {
            self.lanes.push(Lane::new(queue.clone()));
        }
        lane
    }

    /// Moves a job from the index of its state to that of another.
    fn enter(&mut self, slot: Slot, state: State) {
        self.leave(slot);
        self.place(slot, state);
    }

    /// Inserts a job that is in no index into that of a state.
    fn place(&mut self, slot: Slot, state: State) {
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return;
        };
        entry.state = state;
        let Some(lane) = self.lanes.get_mut(entry.lane as usize) else {
            return;
        };
        lane.is_used = true;
        lane.count(state, 1);
        match state {
            State::Scheduled | State::Retryable => {
                self.due.insert(entry.due(slot));
            }
            State::Available => {
                lane.ready.insert(entry.ready(slot));
                Self::note_change(&mut self.changed, lane, entry.lane);
            }
            State::Executing => {
                self.leases.insert(entry.stamped(slot));
            }
            State::Completed | State::Discarded | State::Cancelled => {
                if let Some(finished) = self.finished.get_mut(state as usize) {
                    finished.insert(entry.stamped(slot));
                }
            }
        }
    }

    /// Removes a job from the index of its state.
    fn leave(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get(slot as usize) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(entry.lane as usize) else {
            return;
        };
        let was_there = match entry.state {
            State::Scheduled | State::Retryable => self.due.remove(&entry.due(slot)),
            State::Available => {
                Self::note_change(&mut self.changed, lane, entry.lane);
                lane.ready.remove(&entry.ready(slot))
            }
            State::Executing => self.leases.remove(&entry.stamped(slot)),
            State::Completed | State::Discarded | State::Cancelled => {
                let finished = self.finished.get_mut(entry.state as usize);
                finished.is_some_and(|finished| finished.remove(&entry.stamped(slot)))
            }
        };
        // A job that was just stored is in no index yet.
        if was_there {
            lane.count(entry.state, -1);
        }
    }

    fn note_change(changed: &mut Vec<u32>, lane: &mut Lane, index: u32) {
        if !lane.is_changed {
            lane.is_changed = true;
            changed.push(index);
        }
    }
}
