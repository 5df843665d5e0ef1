//! Faults between a caller and its queue: scripted by the test, drawn at random from a seed, or decided by a simulation.

mod faulty;
mod script;

use std::fmt;
use std::time::Duration;

pub use faulty::Faulty;
pub use script::Faults;

/// An operation of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Queue::push`](queue_core::Queue::push).
    Push,
    /// [`Queue::claim`](queue_core::Queue::claim).
    Claim,
    /// [`Queue::renew`](queue_core::Queue::renew).
    Renew,
    /// [`Queue::settle`](queue_core::Queue::settle).
    Settle,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Claim => "claim",
            Self::Renew => "renew",
            Self::Settle => "settle",
        })
    }
}

/// A failure that is injected into one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call fails as `Unavailable` and has no effect.
    FailBefore,
    /// The call takes effect and then fails as `Unavailable`: the answer is lost.
    ///
    /// Jobs that such a claim leased belong to no worker until their leases expire.
    FailAfter,
    /// The call reaches the queue late by this duration.
    Delay(Duration),
    /// The call has no effect and is never answered. A caller without a timeout waits for ever.
    HangBefore,
    /// The call takes effect and is never answered.
    HangAfter,
    /// The next claim delivers the jobs of this claim a second time, under the same leases.
    DeliverTwice,
    /// The call's leases are lost to other workers just before the call (just after it, for a claim).
    LoseLease,
}

/// Writes what happens to the call, as the end of a sentence about it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailBefore => f.write_str("fails and has no effect"),
            Self::FailAfter => f.write_str("takes effect and its answer is lost"),
            Self::Delay(delay) => write!(f, "is late by {delay:?}"),
            Self::HangBefore => f.write_str("has no effect and is never answered"),
            Self::HangAfter => f.write_str("takes effect and is never answered"),
            Self::DeliverTwice => f.write_str("delivers its jobs twice"),
            Self::LoseLease => f.write_str("loses its leases to other workers"),
        }
    }
}

/// Decides which faults the calls on a queue meet. [`Faulty`] applies them.
pub trait FaultSource: Send + Sync + 'static {
    /// Returns the faults of the call that begins now. Called once for each call.
    fn next(&self, operation: Operation) -> Vec<Fault>;

    /// Returns how long a call or an answer is on its way now. The default is zero.
    fn latency(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns whether calls and answers get lost now. The default is `false`.
    fn is_cut_off(&self) -> bool {
        false
    }
}
