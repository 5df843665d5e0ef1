//! What goes wrong in a run.

use std::fmt;
use std::time::Duration;

use crate::fault::Operation;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetFault {
    /// A node dies, and another is started in its place.
    Crash {
        /// Which node.
        node: usize,
        /// When, from the beginning.
        at: Duration,
        /// How long it takes to start the other.
        restart_after: Duration,
    },
    /// A node can't reach the queue.
    Partition {
        /// Which node.
        node: usize,
        /// When, from the beginning.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// A node's clock is wrong from the beginning.
    Skew {
        /// Which node.
        node: usize,
        /// By so many milliseconds, backwards if it's below zero.
        millis: i64,
    },
    /// A call takes long.
    Slow {
        /// Which node.
        node: usize,
        /// Which of its operations.
        operation: Operation,
        /// Which call of that, counted from 1.
        nth: u64,
        /// For how long.
        lasts: Duration,
    },
    /// A call fails, and nothing was done.
    Failure {
        /// Which node.
        node: usize,
        /// Which of its operations.
        operation: Operation,
        /// Which call of that, counted from 1.
        nth: u64,
    },
    /// The leases that a call is about are lost to others just before it.
    LostLease {
        /// Which node.
        node: usize,
        /// Which of its operations: renewals and settlements are about leases.
        operation: Operation,
        /// Which call of that, counted from 1.
        nth: u64,
    },
    /// A call is done, and its answer is lost.
    LostAnswer {
        /// Which node.
        node: usize,
        /// Which of its operations.
        operation: Operation,
        /// Which call of that, counted from 1.
        nth: u64,
    },
    /// A call is never answered. Nodes that do not bound the call wait for ever.
    NoAnswer {
        /// Which node.
        node: usize,
        /// Which of its operations.
        operation: Operation,
        /// Which call of that, counted from 1.
        nth: u64,
        /// Whether the queue does what the call asks for.
        is_done: bool,
    },
}

const OPERATIONS: [Operation; 4] = [Operation::Push, Operation::Claim, Operation::Renew, Operation::Settle];

/// Makes up to so many troubles for so many nodes.
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
    /// The call that it's about: the node, the operation and the number.
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
                write!(f, "node {node} dies after {at:?}, and is back {restart_after:?} later")
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
                write!(f, "node {node} has lost its leases before {}", call(operation, nth))
            }
            Self::LostAnswer { node, operation, nth } => {
                write!(f, "the answer to {} of node {node} is lost", call(operation, nth))
            }
            Self::NoAnswer { node, operation, nth, is_done } => {
                let done = if *is_done { "is done" } else { "is not done" };
                write!(f, "{} of node {node} {done}, and is never answered", call(operation, nth))
            }
        }
    }
}
