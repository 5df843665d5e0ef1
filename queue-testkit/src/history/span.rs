//! When a call took place.

use std::fmt;

use queue_core::Timestamp;
use serde::{Deserialize, Serialize};

/// When a call took place: if it had an effect, then somewhere between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it was made.
    pub start: LogTime,
    /// When its answer came; `None` if none ever did, so that its effect may be as late as you like.
    pub end: Option<LogTime>,
}

/// An instant, on two scales: one tells which call came first, the other what the queue held leases and schedules against.
///
/// Which call came first is never read off the queue's clock, since that one may be stepped, and stands still under
/// virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTime {
    /// A place on a scale that only grows and that all clients share.
    ///
    /// Within one process that's a counter. Among the processes of one machine it's the nanoseconds of its monotonic
    /// clock, which is the same for all of them; among several machines there is none.
    pub order: u64,
    /// What the queue's own clock showed.
    pub queue_time: Timestamp,
}

impl LogTime {
    /// Comes before all others.
    pub(super) const FIRST: Self = Self { order: 0, queue_time: Timestamp::from_micros(i64::MIN) };
}

impl Span {
    /// Starts the span of a call that has no answer yet.
    #[must_use]
    pub const fn since(start: LogTime) -> Self {
        Self { start, end: None }
    }

    /// Ends it with the answer.
    #[must_use]
    pub const fn until(self, end: LogTime) -> Self {
        Self { start: self.start, end: Some(end) }
    }

    /// Tells whether this call was over when the other began.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.end.is_some_and(|end| end.order < other.start.order)
    }

    /// Tells the latest instant of the queue's clock at which it can have had its effect.
    pub(super) fn latest(&self) -> Timestamp {
        self.end.map_or(Timestamp::MAX, |end| end.queue_time)
    }

    /// Tells the last step at which it can have had its effect.
    pub(super) fn last_order(&self) -> u64 {
        self.end.map_or(u64::MAX, |end| end.order)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start;
        match self.end {
            Some(end) => {
                write!(f, "step {} to {}, {} to {}", start.order, end.order, start.queue_time, end.queue_time)
            }
            None => write!(f, "step {}, {}, never answered", start.order, start.queue_time),
        }
    }
}
