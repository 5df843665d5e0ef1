//! The state that all nodes of a run share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::{Clock as _, Timestamp};

use super::executor::Executor;
use super::fault::NodeFault;
use crate::clock::VirtualClock;
use crate::fault::{Fault, Operation};
use crate::model_queue::ModelQueue;

/// The maximum latency of a call in each direction, in microseconds.
const LATENCY: u64 = 20_000;

pub(crate) struct SimState {
    pub(super) clock: VirtualClock,
    pub(super) executor: Executor,
    pub(super) queue: ModelQueue,
    pub(super) faults: Vec<NodeFault>,
    /// The number of threads of each node's runtime.
    pub(super) threads: usize,
    counts: Mutex<BTreeMap<(usize, Operation), u64>>,
}

impl SimState {
    pub(super) fn new(seed: u64, threads: usize, faults: Vec<NodeFault>) -> Arc<Self> {
        let clock = VirtualClock::new();
        Arc::new(Self {
            executor: Executor::new(seed, clock.clone()),
            queue: ModelQueue::seeded(clock.clone(), seed),
            clock,
            faults,
            threads,
            counts: Mutex::default(),
        })
    }

    /// Returns how long the run has lasted.
    pub(super) fn age(&self) -> Duration {
        self.clock.now().since(VirtualClock::START)
    }

    /// Counts a call of a node and returns the faults that it meets.
    pub(super) fn next_call(&self, node: usize, operation: Operation) -> Vec<Fault> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((node, operation)).or_default();
        *count += 1;
        let call = (node, operation, *count);
        let faults = self.faults.iter().filter_map(|fault| match fault {
            NodeFault::Call { node, operation, nth, fault } if (*node, *operation, *nth) == call => {
                Some(*fault)
            }
            _ => None,
        });
        faults.collect()
    }

    pub(super) fn latency(&self) -> Duration {
        Duration::from_micros(self.executor.random(LATENCY))
    }

    /// Returns how far a node's clock is ahead, in microseconds.
    pub(super) fn skew(&self, node: usize) -> i64 {
        let skew = self.faults.iter().find_map(|fault| match fault {
            NodeFault::Skew { node: of, millis } if *of == node => Some(millis.saturating_mul(1000)),
            _ => None,
        });
        skew.unwrap_or_default()
    }

    pub(super) fn is_cut_off(&self, node: usize) -> bool {
        let age = self.age();
        self.faults.iter().any(|fault| match fault {
            NodeFault::Partition { node: of, at, lasts } => *of == node && (*at..*at + *lasts).contains(&age),
            _ => false,
        })
    }

    /// Returns when the last crash or partition is over.
    pub(super) fn end_of_faults(&self) -> Timestamp {
        let ends = self.faults.iter().map(|fault| match fault {
            NodeFault::Crash { at, restart_after, .. } => *at + *restart_after,
            NodeFault::Partition { at, lasts, .. } => *at + *lasts,
            _ => Duration::ZERO,
        });
        VirtualClock::START.saturating_add(ends.max().unwrap_or_default())
    }
}
