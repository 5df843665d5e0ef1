//! What a client did and was told.

use std::fmt;

use queue_core::{JobId, Lease, Timestamp, Transition};
use serde::{Deserialize, Serialize};

use super::outcome::KnownOutcome;
use super::pushed::Pushed;
use super::span::Span;

/// One call, as far as one job is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it took place.
    pub span: Span,
    /// What its caller learnt.
    pub kind: EventKind,
}

/// What a client learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job was pushed, or was a followup of a settlement.
    Pushed(Pushed),
    /// A job was delivered.
    Claimed {
        /// The right to work on it.
        lease: Lease,
        /// The attempt that this is, from 1.
        attempt: u32,
    },
    /// A claim gave its caller nothing: it came back empty, it failed, or it was never answered.
    ///
    /// What it leased all the same is nobody's until that is released or expires.
    EmptyClaim {
        /// How many jobs it asked for.
        max: usize,
    },
    /// A lease was renewed, or was lost before. A renewal without an answer needs no note: it can do no harm.
    Renewed {
        /// The lease.
        lease: Lease,
        /// Until when it holds now; `None` if it was lost.
        held_until: Option<Timestamp>,
    },
    /// An attempt was ended.
    Settled {
        /// The right under which it ran.
        lease: Lease,
        /// Which state the job was to go to.
        transition: Transition,
        /// Whether it did.
        outcome: KnownOutcome,
    },
}

impl EventKind {
    /// Tells which job it is about, if it's about one.
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
            Self::EmptyClaim { max } => write!(f, "a claim of {max} gave nothing"),
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
