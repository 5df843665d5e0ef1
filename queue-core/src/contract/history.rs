//! The history: the number of attempts that ended in each minute of the last 24 hours.

use std::ops::Range;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::contract::clock::Timestamp;
use crate::contract::name::{JobName, QueueName};
use crate::contract::tally::{MINUTE, Tally, minute_of, start_of};

/// Selects a part of the history: see [`Admin::history`](crate::Admin::history).
///
/// ```
/// use std::time::Duration;
///
/// use queue_core::admin::HistoryRequest;
/// use queue_core::{Admin, QueueError, Timestamp};
///
/// /// Prints how many jobs of a queue completed in each hour.
/// async fn print_hours(queue: &impl Admin) -> Result<(), QueueError> {
///     let request = HistoryRequest::since(Timestamp::EPOCH).queue("mail").step(Duration::from_secs(60 * 60));
///     for row in queue.history(&request).await? {
///         println!("{} {}: {}", row.from, row.name, row.completed);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryRequest {
    /// The instant at which the history begins. If it divides a step, the history has the whole step.
    pub since: Timestamp,
    /// The instant before which the history ends. If it divides a step, the history has the whole step.
    pub until: Timestamp,
    /// The queue; `None` selects all queues.
    pub queue: Option<QueueName>,
    /// The kind of jobs; `None` selects all kinds.
    pub name: Option<JobName>,
    /// The length of a step, for which there is one row: see [`step`](Self::step).
    pub step: Duration,
}

impl HistoryRequest {
    /// How long the history of a minute is kept.
    pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

    /// Requests the history from an instant until now, of all queues and kinds of jobs, with a row for each minute.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self { since, until: Timestamp::MAX, queue: None, name: None, step: Duration::from_secs(60) }
    }

    /// Sets the instant before which the history ends. If it divides a step, the history has the whole step.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = until;
        self
    }

    /// Sets the queue. All others are left out.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Sets the kind of jobs. All others are left out.
    #[must_use]
    pub fn name(mut self, name: impl Into<JobName>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the length of a step, for which there is one row. It is rounded down to whole minutes, and is at least one minute.
    ///
    /// Steps follow one another from the epoch, so steps of an hour begin at the full hours of UTC.
    #[must_use]
    pub const fn step(mut self, step: Duration) -> Self {
        self.step = step;
        self
    }

    /// Returns the length of a step in microseconds, for backends.
    #[must_use]
    pub fn step_micros(&self) -> i64 {
        let micros = i64::try_from(self.step.as_micros()).unwrap_or(i64::MAX);
        (micros - micros % MINUTE).max(MINUTE)
    }

    /// Returns the start of the step that contains a minute, for backends.
    #[must_use]
    pub fn step_of(&self, minute: Timestamp) -> Timestamp {
        start_of(minute, self.step_micros())
    }

    /// Returns the first minute and the end of the whole steps of the history, for backends. They may include minutes that are no
    /// longer kept: see [`first_kept`](Self::first_kept).
    #[must_use]
    pub fn minutes(&self) -> Range<Timestamp> {
        let last = self.step_of(self.until);
        let step = Duration::from_micros(self.step_micros().unsigned_abs());
        let end = if last == self.until { last } else { last.saturating_add(step) };
        self.step_of(self.since)..end
    }

    /// Returns the first minute that is kept at `now`, for backends: the one that contains the instant 24 hours ago.
    #[must_use]
    pub fn first_kept(now: Timestamp) -> Timestamp {
        minute_of(now.saturating_sub(Self::KEPT))
    }
}

/// One step of the history: how many attempts of one kind of job in one queue ended in it, and how.
///
/// It serializes for dashboards and command lines: times are microseconds since the Unix epoch, and the run time is in
/// microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryRow {
    /// When the step begins.
    pub from: Timestamp,
    /// The queue.
    pub queue: QueueName,
    /// The kind of job.
    pub name: JobName,
    /// The number of jobs that completed.
    pub completed: u64,
    /// The number of attempts that failed: they were settled by a retry or a discard, or their leases expired. They count
    /// whatever followed: another attempt, a discard, or a requested cancellation. Snoozed, released and cancelled attempts
    /// did not fail, those that were snoozed with an error included.
    pub failed: u64,
    /// The number of jobs that were discarded, by a settlement or because their leases expired. Their last attempts are among the
    /// `failed` ones.
    pub discarded: u64,
    /// The time from claim to end of the attempts in `completed` and `failed`, by the backend's clock. So
    /// `run_time / (completed + failed)` is the mean. A lease that expired ended its attempt at the expiry.
    #[serde(serialize_with = "serialize_micros")]
    pub run_time: Duration,
}

impl HistoryRow {
    /// Creates a row.
    #[must_use]
    pub const fn new(from: Timestamp, queue: QueueName, name: JobName, tally: Tally) -> Self {
        let Tally { completed, failed, discarded, run_time } = tally;
        Self { from, queue, name, completed, failed, discarded, run_time }
    }
}

fn serialize_micros<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_history_has_the_whole_steps_that_its_instants_divide() {
        let minutes = Duration::from_secs(60);
        let table = [
            // The instants and the step, the first minute and the end.
            ((0, 60, minutes), (0, 60)),
            ((59, 61, minutes), (0, 120)),
            ((60, 61, minutes * 5), (0, 300)),
            ((299, 300, minutes * 5), (0, 300)),
            ((-1, 1, minutes), (-60, 60)),
            ((130, 130, Duration::from_secs(119)), (120, 180)),
            ((130, 190, Duration::ZERO), (120, 240)),
        ];

        for ((since, until, step), (first, end)) in table {
            let found = HistoryRequest::since(at(since)).until(at(until)).step(step).minutes();

            assert_eq!(found, at(first)..at(end), "{since} to {until} by {step:?}");
        }
    }

    #[test]
    fn the_ends_of_time_overflow_nothing() {
        let first = Timestamp::from_micros(i64::MIN);

        for step in [Duration::ZERO, Duration::from_secs(60), Duration::MAX] {
            let minutes = HistoryRequest::since(first).step(step).minutes();

            assert_eq!((minutes.start, minutes.end), (first, Timestamp::MAX), "{step:?}");
        }
        assert_eq!(HistoryRequest::first_kept(first), first);
    }

    #[test]
    fn a_row_serializes_with_times_in_microseconds() {
        let tally = Tally::new(2, 0, 0, Duration::from_millis(7));
        let row = HistoryRow::new(at(60), "mail".into(), "send".into(), tally);

        let json = serde_json::to_string(&row).unwrap();

        let expected = r#"{"from":60000000,"queue":"mail","name":"send","completed":2,"failed":0,"discarded":0,"run_time":7000}"#;
        assert_eq!(json, expected);
    }
}
