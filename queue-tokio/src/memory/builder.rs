//! The settings of an in-memory queue.

use std::fmt;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use queue_core::backend::{ExpiryFeed, PushHooks};
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{Clock, Limits, NewJob};
use tokio::sync::Notify;

use super::ends::EndWaiters;
use super::idle::IdleWaiters;
use super::inbox::Inbox;
use super::lock::Mutex;
use super::permits::Permits;
use super::waiting::Waiting;
use super::{LockedState, MemoryQueue, Shared};
use crate::clock::TokioClock;

/// Builds a [`MemoryQueue`]; created by [`MemoryQueue::builder`].
///
/// ```
/// use queue_core::table::Retention;
/// use queue_tokio::MemoryQueue;
///
/// let queue = MemoryQueue::builder()
///     .bound(1_000) // a push waits while there are 1,000 unfinished jobs
///     .retention(Retention::default().completed(100))
///     .build();
/// ```
#[must_use = "call `build` to create the queue"]
pub struct MemoryQueueBuilder {
    bound: Option<u32>,
    retention: Retention,
    limits: Limits,
    seed: Option<u64>,
    clock: Option<Arc<dyn Clock>>,
    hooks: PushHooks,
}

impl MemoryQueueBuilder {
    pub(super) fn new() -> Self {
        Self {
            bound: Some(MemoryQueue::DEFAULT_BOUND),
            retention: Retention::default(),
            limits: Limits::default(),
            seed: None,
            clock: None,
            hooks: PushHooks::default(),
        }
    }

    /// Sets the limit of unfinished jobs; zero counts as one.
    pub fn bound(mut self, bound: u32) -> Self {
        self.bound = Some(bound.max(1));
        self
    }

    /// Removes the limit of unfinished jobs.
    pub fn unbounded(mut self) -> Self {
        self.bound = None;
        self
    }

    /// Sets how many finished jobs are kept. By default completed jobs are only counted, and the newest 10,000 discarded and
    /// 10,000 cancelled jobs are kept.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the maximum sizes of names, payloads, meta and batches.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the seed of the job ids that the queue assigns, so that each run assigns the same; by default they differ.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the clock; by default it is tokio's. If a test can move it, [`Admin::test_clock`](queue_core::Admin::test_clock)
    /// returns it.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Adds a function that sees each job before it is stored, and may change it, for example to add a trace context to its meta.
    /// The function sees the jobs of every push. It does not see followups, which inherit the meta of their job. Functions run in
    /// the order in which they were added, in the task of the caller.
    pub fn on_push(mut self, hook: impl Fn(&mut NewJob) + Send + Sync + 'static) -> Self {
        self.hooks.add(hook);
        self
    }

    /// Creates the queue.
    #[must_use]
    pub fn build(self) -> MemoryQueue {
        let mut config = TableConfig::default();
        config.capacity = self.bound;
        config.retention = self.retention;
        config.limits = self.limits;
        config.seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let mut capacity = Permits::new();
        if let Some(permits) = capacity.set_available(self.bound.unwrap_or_default() as usize) {
            permits.release();
        }
        let state = LockedState {
            table: JobTable::new(config),
            ready: Vec::new(),
            capacity,
            armed_for: None,
            is_closed: false,
            idle: IdleWaiters::default(),
            ends: EndWaiters::default(),
        };
        MemoryQueue(Arc::new(Shared {
            state: CachePadded::new(Mutex::new(CachePadded::new(state))),
            clock: self.clock.unwrap_or_else(|| Arc::new(TokioClock::new())),
            limits: self.limits,
            bound: self.bound,
            rearm: Notify::new(),
            inbox: Inbox::default(),
            claimers: Waiting::default(),
            producers: Waiting::default(),
            expiries: ExpiryFeed::new(),
            hooks: self.hooks,
        }))
    }
}

impl fmt::Debug for MemoryQueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueueBuilder").field("bound", &self.bound).finish_non_exhaustive()
    }
}
