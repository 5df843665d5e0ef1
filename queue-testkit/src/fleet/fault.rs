//! The faults of a run.

use std::fmt;
use std::time::Duration;

use crate::fault::Operation;

/// A fault that a simulation injects into a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetFault {
    /// A node crashes and is restarted.
    Crash {
        /// The node.
        node: usize,
        /// When it crashes, from the start of the run.
        at: Duration,
        /// How long the restart takes.
        restart_after: Duration,
    },
    /// A node can't reach the queue.
    Partition {
        /// The node.
        node: usize,
        /// When it starts, from the start of the run.
        at: Duration,
        /// How long it lasts.
        lasts: Duration,
    },
    /// A node's clock is wrong for the whole run.
    Skew {
        /// The node.
        node: usize,
        /// How many milliseconds the clock is ahead, or behind if negative.
        millis: i64,
    },
    /// A call is slow.
    Slow {
        /// The node.
        node: usize,
        /// The operation of the call.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
        /// The delay.
        lasts: Duration,
    },
    /// A call fails and has no effect.
    Failure {
        /// The node.
        node: usize,
        /// The operation of the call.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
    },
    /// The leases of a call are lost to other workers just before it.
    LostLease {
        /// The node.
        node: usize,
        /// The operation of the call: a renewal or a settlement.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
    },
    /// A call takes effect and its answer is lost.
    LostAnswer {
        /// The node.
        node: usize,
        /// The operation of the call.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
    },
    /// A call is never answered. A node without a timeout for the call waits for ever.
    NoAnswer {
        /// The node.
        node: usize,
        /// The operation of the call.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
        /// Whether the call takes effect.
        is_done: bool,
    },
}

const OPERATIONS: [Operation; 4] = [Operation::Push, Operation::Claim, Operation::Renew, Operation::Settle];

/// Draws at most `most` faults for `nodes` nodes.
pub(super) fn make(random: &mut fastrand::Rng, nodes: usize, most: usize) -> Vec<FleetFault> {
    let count = random.usize(0..=most);
    (0..count).map(|_| one(random, nodes)).collect()
}

fn one(random: &mut fastrand::Rng, nodes: usize) -> FleetFault {
    let node = random.usize(0..nodes.max(1));
    let millis = |random: &mut fastrand::Rng, most: u64| Duration::from_millis(random.u64(0..most));
    let at = millis(random, 60_000);
    let operation = random.choice(OPERATIONS).unwrap_or(Operation::Claim);
    let nth = random.u64(1..20);
    match random.u8(0..11) {
        0 | 1 => FleetFault::Crash { node, at, restart_after: millis(random, 10_000) },
        2 => FleetFault::Partition { node, at, lasts: millis(random, 90_000) },
        3 => FleetFault::Skew { node, millis: random.i64(-3_600_000..3_600_000) },
        4 => FleetFault::Slow { node, operation, nth, lasts: millis(random, 45_000) },
        5 => FleetFault::Failure { node, operation, nth },
        6 => {
            let operation = random.choice([Operation::Renew, Operation::Settle]).unwrap_or(Operation::Settle);
            FleetFault::LostLease { node, operation, nth }
        }
        7 | 8 => FleetFault::LostAnswer { node, operation, nth },
        _ => FleetFault::NoAnswer { node, operation, nth, is_done: random.bool() },
    }
}

impl FleetFault {
    /// Returns the call that this fault affects: the node, the operation and the number. `None` for a fault of a whole node.
    pub(super) fn call(&self) -> Option<(usize, Operation, u64)> {
        match self {
            Self::Slow { node, operation, nth, .. }
            | Self::Failure { node, operation, nth }
            | Self::LostLease { node, operation, nth }
            | Self::LostAnswer { node, operation, nth }
            | Self::NoAnswer { node, operation, nth, .. } => Some((*node, *operation, *nth)),
            Self::Crash { .. } | Self::Partition { .. } | Self::Skew { .. } => None,
        }
    }
}

impl fmt::Display for FleetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call =
            |operation: &Operation, nth: &u64| format!("{} {nth}", format!("{operation:?}").to_lowercase());
        match self {
            Self::Crash { node, at, restart_after } => {
                write!(f, "node {node} crashes after {at:?} and is restarted {restart_after:?} later")
            }
            Self::Partition { node, at, lasts } => {
                write!(f, "node {node} can't reach the queue after {at:?}, for {lasts:?}")
            }
            Self::Skew { node, millis } => write!(f, "the clock of node {node} is {millis} ms ahead"),
            Self::Slow { node, operation, nth, lasts } => {
                write!(f, "{} of node {node} takes {lasts:?}", call(operation, nth))
            }
            Self::Failure { node, operation, nth } => {
                write!(f, "{} of node {node} fails", call(operation, nth))
            }
            Self::LostLease { node, operation, nth } => {
                write!(f, "node {node} loses its leases before {}", call(operation, nth))
            }
            Self::LostAnswer { node, operation, nth } => {
                write!(f, "the answer to {} of node {node} is lost", call(operation, nth))
            }
            Self::NoAnswer { node, operation, nth, is_done } => {
                let done = if *is_done { "takes effect" } else { "has no effect" };
                write!(f, "{} of node {node} {done}, and is never answered", call(operation, nth))
            }
        }
    }
}
