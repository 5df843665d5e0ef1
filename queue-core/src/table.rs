//! The contract in executable form: a queue as a pure, synchronous state machine.
//!
//! It has no I/O, no clock and no threads: each method that depends on the time takes the current instant as an argument.
//! The rules of the contract are in the files of this folder; `store` has the memory and the indexes, and no rule.
//! `MemoryQueue` is this table behind a lock and two semaphores. The testkit's queue is this table under a virtual clock.
//! The conformance suite compares every other backend with it, step by step.

mod admin;
mod bulk;
mod capacity;
mod claim;
mod discard;
mod history;
mod import;
mod lease;
mod limits;
mod list;
mod push;
mod reserve;
mod retention;
mod settle;
mod store;
mod summary;
mod unique;
mod watch;
mod workers;

pub use retention::Retention;
pub use store::Reservation;

use crate::contract::clock::Timestamp;
use crate::contract::expiry_feed::ExpiredJob;
use crate::contract::limits::Limits;
use crate::contract::name::QueueName;
use crate::contract::record::State;

use history::History;
use store::{QueueState, Slot, Store};
use unique::UniqueKeys;
use watch::Watched;
use workers::Announced;

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
    store: Store,
    unique: UniqueKeys,
    unfinished: u64,
    /// Whether a job was stored that is behind the reserved places in push order.
    is_outdated: bool,
    /// The jobs that were discarded because their leases expired, until a caller reports them.
    expired: Vec<ExpiredJob>,
    /// The jobs for whose end callers wait.
    watched: Watched,
    announced: Announced,
    history: History,
}

impl JobTable {
    /// Creates an empty table.
    #[must_use]
    pub fn new(config: TableConfig) -> Self {
        Self {
            store: Store::new(config.seed),
            config,
            now: Timestamp::from_micros(i64::MIN),
            sequence: 0,
            unique: UniqueKeys::default(),
            unfinished: 0,
            is_outdated: false,
            expired: Vec::new(),
            watched: Watched::default(),
            announced: Announced::default(),
            history: History::default(),
        }
    }

    /// Advances the time: due jobs become available, and expired leases end.
    ///
    /// Every method with a `now` argument does this first.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.store.advance_shares(self.now);
        // In order of time, however long ago the table was last advanced: partitions are served in the order in which they came to
        // have ready jobs.
        while let Some(expired) = self.store.first_expired(self.now) {
            self.make_due_ready(self.store[expired].state_time);
            self.expire(expired);
        }
        self.make_due_ready(self.now);
        self.unique.advance(self.now);
    }

    /// Moves the jobs that are due at `until` to the available state.
    fn make_due_ready(&mut self, until: Timestamp) {
        while self.store.is_due(until) {
            for slot in self.store.pop_due(until) {
                self.store.link(slot, State::Available);
            }
        }
    }

    /// Returns the instant of the next change by time alone: a job becomes due, a lease expires, or a limit lets more jobs start.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.store.next_due()
    }

    /// Returns how many jobs a claim of this queue would find at the instant to which the table was last advanced.
    #[must_use]
    pub fn ready(&self, queue: &QueueName) -> usize {
        self.store.find_queue(queue).map_or(0, |number| self.store.queue(number).deliverable())
    }

    /// Returns the queues whose number of ready jobs may have changed since the last call: for each, the queue's number and the
    /// number of its ready jobs.
    pub fn drain_changed(&mut self) -> impl Iterator<Item = (usize, usize)> {
        self.store.drain_changed()
    }

    /// Returns the number of a queue, which never changes. Queues are numbered consecutively from zero.
    pub fn number(&mut self, queue: &QueueName) -> usize {
        self.store.queue_number(queue) as usize
    }
}
