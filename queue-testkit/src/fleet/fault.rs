//! The faults of a run.

use std::fmt;
use std::time::Duration;

use crate::fault::{Fault, Operation};

/// A fault of a node in a simulated run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeFault {
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
    /// One call of a node meets a fault.
    Call {
        /// The node.
        node: usize,
        /// The operation of the call.
        operation: Operation,
        /// The number of the call among the node's calls of that operation, from 1.
        nth: u64,
        /// The fault.
        fault: Fault,
    },
}

const OPERATIONS: [Operation; 4] = [Operation::Push, Operation::Claim, Operation::Renew, Operation::Settle];

/// Draws at most `most` faults for `nodes` nodes.
pub(super) fn make(random: &mut fastrand::Rng, nodes: usize, most: usize) -> Vec<NodeFault> {
    let count = random.usize(0..=most);
    (0..count).map(|_| one(random, nodes)).collect()
}

fn one(random: &mut fastrand::Rng, nodes: usize) -> NodeFault {
    let node = random.usize(0..nodes.max(1));
    let millis = |random: &mut fastrand::Rng, most: u64| Duration::from_millis(random.u64(0..most));
    let at = millis(random, 60_000);
    let operation = random.choice(OPERATIONS).unwrap_or(Operation::Claim);
    let nth = random.u64(1..20);
    let call = |fault| NodeFault::Call { node, operation, nth, fault };
    match random.u8(0..11) {
        0 | 1 => NodeFault::Crash { node, at, restart_after: millis(random, 10_000) },
        2 => NodeFault::Partition { node, at, lasts: millis(random, 90_000) },
        3 => NodeFault::Skew { node, millis: random.i64(-3_600_000..3_600_000) },
        4 => call(Fault::Delay(millis(random, 45_000))),
        5 => call(Fault::FailBefore),
        6 => {
            let operation = random.choice([Operation::Renew, Operation::Settle]).unwrap_or(Operation::Settle);
            NodeFault::Call { node, operation, nth, fault: Fault::LoseLease }
        }
        7 | 8 => call(Fault::FailAfter),
        _ => call(if random.bool() { Fault::HangAfter } else { Fault::HangBefore }),
    }
}

impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash { node, at, restart_after } => {
                write!(f, "node {node} crashes after {at:?} and is restarted {restart_after:?} later")
            }
            Self::Partition { node, at, lasts } => {
                write!(f, "node {node} can't reach the queue after {at:?}, for {lasts:?}")
            }
            Self::Skew { node, millis } => write!(f, "the clock of node {node} is {millis} ms ahead"),
            Self::Call { node, operation, nth, fault } => {
                write!(f, "{operation} {nth} of node {node} {fault}")
            }
        }
    }
}
