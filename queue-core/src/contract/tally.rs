//! Counts of attempts that ended, which backends add up for the history.

use std::time::Duration;

use crate::contract::clock::Timestamp;
use crate::contract::record::State;
use crate::contract::settlement::Transition;

/// The length of a minute in microseconds.
pub(crate) const MINUTE: i64 = 60_000_000;

/// Returns the start of the minute in which an instant is.
#[must_use]
pub const fn minute_of(at: Timestamp) -> Timestamp {
    start_of(at, MINUTE)
}

/// Returns the start of the step in which an instant is. Steps of this length in microseconds follow one another from the epoch.
pub(crate) const fn start_of(at: Timestamp, step: i64) -> Timestamp {
    let at = at.as_micros();
    Timestamp::from_micros(at.saturating_sub(at.rem_euclid(step)))
}

/// The counts of attempts that ended: see [`HistoryRow`](crate::admin::HistoryRow).
///
/// A backend adds one for each attempt that ends, in the step that ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// The number of jobs that completed.
    pub completed: u64,
    /// The number of attempts that failed.
    pub failed: u64,
    /// The number of jobs that were discarded.
    pub discarded: u64,
    /// The time from claim to end of the attempts in `completed` and `failed`.
    pub run_time: Duration,
}

impl Tally {
    /// Creates a tally of completed jobs, failed attempts and discarded jobs, with the run time of the attempts.
    #[must_use]
    pub const fn new(completed: u64, failed: u64, discarded: u64, run_time: Duration) -> Self {
        Self { completed, failed, discarded, run_time }
    }

    /// Returns the tally of one attempt that a settlement ended, or `None` if the history does not count it.
    #[must_use]
    pub const fn of(transition: &Transition, run_time: Duration) -> Option<Self> {
        let (completed, failed, discarded) = match transition {
            Transition::Complete { .. } => (1, 0, 0),
            Transition::Retry { .. } => (0, 1, 0),
            Transition::Discard { .. } => (0, 1, 1),
            Transition::Snooze { .. }
            | Transition::Throttle { .. }
            | Transition::Cancel { .. }
            | Transition::Release => return None,
        };
        Some(Self { completed, failed, discarded, run_time })
    }

    /// Returns the tally of one attempt whose lease expired, by the state that followed.
    #[must_use]
    pub fn of_expiry(state: State, run_time: Duration) -> Self {
        Self { completed: 0, failed: 1, discarded: u64::from(state == State::Discarded), run_time }
    }

    /// Adds other attempts.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.completed = self.completed.saturating_add(other.completed);
        self.failed = self.failed.saturating_add(other.failed);
        self.discarded = self.discarded.saturating_add(other.discarded);
        self.run_time = self.run_time.saturating_add(other.run_time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_begins_at_or_before_each_of_its_instants() {
        let starts =
            [(0, 0), (59_999_999, 0), (60_000_000, 60_000_000), (-1, -60_000_000), (i64::MIN, i64::MIN)];

        for (at, start) in starts {
            assert_eq!(minute_of(Timestamp::from_micros(at)).as_micros(), start, "the minute of {at}");
        }
    }
}
