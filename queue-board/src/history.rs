//! Jobs and attempts that ended in the last hour or day, for charts.
//!
//! A history changes once a minute, so all pages share one read for some seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::admin::{Filter, HistoryRequest, HistoryRow};
use queue_core::{Admin, JobName, QueueError, QueueErrorKind, QueueName, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

/// How long a read is shared.
const FRESH: Duration = Duration::from_secs(10);

/// How many reads are kept: those of the overview, and of some filters.
const KEPT: usize = 16;

/// The time that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// 60 steps of a minute.
    Hour,
    /// 48 steps of half an hour.
    Day,
}

impl Span {
    const fn step(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(60),
            Self::Day => Duration::from_secs(30 * 60),
        }
    }

    const fn steps(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 48,
        }
    }

    /// Returns the start of the first step; the last one is the one of `now`.
    fn start(self, now: Timestamp) -> Timestamp {
        let step = i64::try_from(self.step().as_micros()).unwrap_or(i64::MAX);
        let current = now.as_micros().div_euclid(step).saturating_mul(step);
        Timestamp::from_micros(current).saturating_sub(self.step() * (self.steps() - 1))
    }
}

/// The jobs whose history is read: of a queue, of a name, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HistoryKey {
    span: Span,
    queue: Option<QueueName>,
    name: Option<JobName>,
}

/// The rows of a history, or `None` if the queue does not store one.
pub(crate) type Rows = Option<Arc<Vec<HistoryRow>>>;

/// The histories that were read last, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Histories(Mutex<Vec<(HistoryKey, Instant, Rows)>>);

impl Histories {
    /// Reads the history of the queue and the name of a filter, unless it was read some seconds ago.
    pub(crate) async fn read(
        &self,
        queue: &dyn Admin,
        span: Span,
        filter: &Filter,
        now: Timestamp,
    ) -> Result<Rows, QueueError> {
        let key = HistoryKey { span, queue: filter.queue.clone(), name: filter.name.clone() };
        if let Some(rows) = self.fresh(&key) {
            return Ok(rows);
        }
        let mut request = HistoryRequest::since(span.start(now)).step(span.step());
        (request.queue, request.name) = (key.queue.clone(), key.name.clone());
        let rows = match queue.history(&request).await {
            Ok(rows) => Some(Arc::new(rows)),
            Err(error) if error.kind() == QueueErrorKind::Unsupported => None,
            Err(error) => return Err(error),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, ..)| *other != key);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, Instant::now(), rows.clone()));
        Ok(rows)
    }

    fn fresh(&self, key: &HistoryKey) -> Option<Rows> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(other, read_at, _)| other == key && read_at.elapsed() < FRESH);
        found.map(|(_, _, rows)| rows.clone())
    }
}

/// The numbers of each step of a span.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TimeSeries {
    /// When the first step begins.
    pub(crate) since: Timestamp,
    /// The length of a step, in seconds.
    pub(crate) step_seconds: u64,
    pub(crate) steps: Vec<StepCounts>,
}

/// The jobs and attempts that ended in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct StepCounts {
    /// Completed jobs.
    pub(crate) completed: u64,
    /// Failed attempts.
    pub(crate) failed: u64,
    /// Discarded jobs, whose last attempts are among the failed ones.
    pub(crate) discarded: u64,
}

impl StepCounts {
    /// Returns the number of attempts that ended.
    pub(crate) const fn ended(self) -> u64 {
        self.completed + self.failed
    }
}

impl TimeSeries {
    /// Adds up rows by their steps.
    pub(crate) fn of<'a>(span: Span, now: Timestamp, rows: impl IntoIterator<Item = &'a HistoryRow>) -> Self {
        let since = span.start(now);
        let mut steps = vec![StepCounts::default(); span.steps() as usize];
        for row in rows.into_iter().filter(|row| row.from >= since) {
            let index = row.from.since(since).as_secs() / span.step().as_secs();
            let Some(step) = usize::try_from(index).ok().and_then(|index| steps.get_mut(index)) else {
                continue;
            };
            step.completed += row.completed;
            step.failed += row.failed;
            step.discarded += row.discarded;
        }
        Self { since, step_seconds: span.step().as_secs(), steps }
    }

    /// Returns the sum of all steps.
    pub(crate) fn total(&self) -> StepCounts {
        self.steps.iter().fold(StepCounts::default(), |sum, step| StepCounts {
            completed: sum.completed + step.completed,
            failed: sum.failed + step.failed,
            discarded: sum.discarded + step.discarded,
        })
    }

    /// Returns the start of a step; that of the step after the last one is the end.
    pub(crate) fn start_of(&self, index: usize) -> Timestamp {
        self.since.saturating_add(Duration::from_secs(self.step_seconds * index as u64))
    }
}

#[cfg(test)]
mod tests {
    use queue_core::backend::Tally;

    use super::*;

    #[test]
    fn rows_are_added_up_by_their_steps() {
        let now = Timestamp::from_micros(1_795_939_230_000_000);
        let row = |minutes_ago: u64, completed| {
            let from = Timestamp::from_micros(1_795_939_200_000_000);
            let tally = Tally::new(completed, 0, 0, Duration::ZERO);
            HistoryRow::new(
                from.saturating_sub(Duration::from_secs(60 * minutes_ago)),
                "q".into(),
                "n".into(),
                tally,
            )
        };

        let series = TimeSeries::of(Span::Hour, now, &[row(0, 1), row(0, 2), row(59, 4), row(60, 8)]);

        assert_eq!(series.steps.len(), 60);
        assert_eq!((series.steps[0].completed, series.steps[59].completed), (4, 3));
        assert_eq!(
            (series.total().completed, series.start_of(60)),
            (7, Timestamp::from_micros(1_795_939_260_000_000))
        );
    }
}
