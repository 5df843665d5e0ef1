//! When a call took place.

use std::fmt;

use queue_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The time of a call. If the call had an effect, the effect took place between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When the call was made.
    pub start: LogTime,
    /// When its answer came. `None` if no answer came: then the effect may be arbitrarily late.
    pub end: Option<LogTime>,
}

/// An instant on two scales: `order` shows which call came first, `queue_time` is the clock of leases and schedules.
///
/// The order is not read from the queue's clock, because that clock may be set back, and stands still under virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTime {
    /// A number that only increases, on one scale for all clients.
    ///
    /// Within one process it is a counter. Among the processes of one machine it is the machine's monotonic clock in nanoseconds,
    /// which is the same for all of them. Several machines have no such scale.
    pub order: u64,
    /// The time of the queue's own clock.
    pub queue_time: Timestamp,
}

impl LogTime {
    /// The time before all calls.
    pub(super) const FIRST: Self = Self { order: 0, queue_time: Timestamp::from_micros(i64::MIN) };
}

impl Span {
    /// Starts the span of a call that has no answer yet.
    #[must_use]
    pub const fn since(start: LogTime) -> Self {
        Self { start, end: None }
    }

    /// Ends the span with the answer.
    #[must_use]
    pub const fn until(self, end: LogTime) -> Self {
        Self { start: self.start, end: Some(end) }
    }

    /// Returns whether this call had ended when the other one began.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.end.is_some_and(|end| end.order < other.start.order)
    }

    /// Returns the latest instant, by the queue's clock, at which the call can have taken effect.
    pub(super) fn latest(&self) -> Timestamp {
        self.end.map_or(Timestamp::MAX, |end| end.queue_time)
    }

    /// Returns the last order number at which the call can have taken effect.
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
