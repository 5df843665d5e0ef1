//! The calls of a client and their answers.

use std::fmt;

use queue_core::{JobId, Lease, Timestamp, Transition};
use serde::{Deserialize, Serialize};

use super::outcome::KnownOutcome;
use super::pushed::Pushed;
use super::span::Span;

/// One call, as far as it concerns one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the call took place.
    pub span: Span,
    /// The kind of the call, with the answer that its caller received.
    pub kind: EventKind,
}

/// A kind of call, and what its caller learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job was pushed, by itself or as a followup of a settlement.
    Pushed(Pushed),
    /// A job was delivered.
    Claimed {
        /// The lease.
        lease: Lease,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// A claim returned no job to its caller: it was empty, it failed, or it was never answered.
    ///
    /// Jobs that it leased although it did not return them have no holder until their leases are released or expire.
    EmptyClaim {
        /// The maximum number of jobs that the claim asked for.
        max: usize,
    },
    /// A renewal was answered. One without an answer need not be recorded, because it can break no rule.
    Renewed {
        /// The lease.
        lease: Lease,
        /// When the lease expires after the renewal; `None` if it was lost.
        held_until: Option<Timestamp>,
    },
    /// A lease was settled.
    Settled {
        /// The lease.
        lease: Lease,
        /// The transition that the caller asked for.
        transition: Transition,
        /// Whether it was applied.
        outcome: KnownOutcome,
    },
}

impl EventKind {
    /// Returns the job of the event. `None` for a claim that returned no job.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Pushed(pushed) => Some(pushed.job),
            Self::Claimed { lease, .. } | Self::Renewed { lease, .. } | Self::Settled { lease, .. } => {
                Some(lease.job)
            }
            Self::EmptyClaim { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.span, self.kind)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pushed(Pushed { priority, schedule, follows, outcome, .. }) => {
                write!(f, "pushed, priority {priority}, ready {schedule:?}, {outcome:?}")?;
                match follows {
                    Some((job, fence)) => write!(f, ", as a followup of job {job}, fence {fence}"),
                    None => Ok(()),
                }
            }
            Self::Claimed { lease, attempt } => {
                write!(f, "claimed, fence {}, attempt {attempt}, until {}", lease.fence, lease.expires_at)
            }
            Self::EmptyClaim { max } => write!(f, "a claim of {max} returned no job"),
            Self::Renewed { lease, held_until: Some(until) } => {
                write!(f, "renewed, fence {}, until {until}", lease.fence)
            }
            Self::Renewed { lease, held_until: None } => write!(f, "not renewed, fence {}", lease.fence),
            Self::Settled { lease, transition, outcome } => {
                write!(f, "settled, fence {}, {transition:?}, {outcome:?}", lease.fence)
            }
        }
    }
}
