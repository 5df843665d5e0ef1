//! What a client did and was told.

use std::fmt;
use std::time::Duration;

use queue_core::{JobId, Lease, State, Timestamp, Transition};

/// What happened, and how it stands in the end.
#[derive(Debug, Default)]
pub(in crate::conformance) struct History {
    pub(super) events: Vec<Event>,
    /// Every job that the queue lists at the end.
    pub(super) last: Vec<(JobId, State)>,
}

/// One call, as far as one job is concerned.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) span: Span,
    pub(super) fact: Fact,
}

/// When a call took place: it had its effect somewhere between its start and its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Steps of a counter that all clients share.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The queue's clock before the call, and after it.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Span {
    /// Tells whether this call was over when the other began.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.end < other.start
    }
}

/// What a client learnt.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Pushed { job: JobId, priority: i32, delay: Duration, place: usize },
    Claimed { lease: Lease, attempt: u32 },
    Renewed { lease: Lease, held_until: Option<Timestamp> },
    Settled { lease: Lease, transition: Transition, is_applied: bool },
}

impl Fact {
    pub(super) fn job(&self) -> JobId {
        match self {
            Self::Pushed { job, .. } => *job,
            Self::Claimed { lease, .. } | Self::Renewed { lease, .. } | Self::Settled { lease, .. } => {
                lease.job
            }
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { start, end, from, to } = self.span;
        write!(f, "[step {start} to {end}, {from} to {to}] ")?;
        match &self.fact {
            Fact::Pushed { priority, delay, .. } => write!(f, "pushed, priority {priority}, delay {delay:?}"),
            Fact::Claimed { lease, attempt } => {
                write!(f, "claimed, fence {}, attempt {attempt}, until {}", lease.fence, lease.expires_at)
            }
            Fact::Renewed { lease, held_until: Some(until) } => {
                write!(f, "renewed, fence {}, until {until}", lease.fence)
            }
            Fact::Renewed { lease, held_until: None } => write!(f, "not renewed, fence {}", lease.fence),
            Fact::Settled { lease, transition, is_applied } => {
                let settled = if *is_applied { "settled" } else { "stale" };
                write!(f, "{settled}, fence {}, {transition:?}", lease.fence)
            }
        }
    }
}
