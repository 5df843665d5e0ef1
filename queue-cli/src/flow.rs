//! How many jobs a minute come into a queue, and how many leave it.
//!
//! A store counts what ends, not what is pushed. What came in follows from two polls: the jobs that ended in between, and as many as
//! there are more unfinished jobs now.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow, QueueSummary};
use queue_core::backend::minute_of;
use queue_core::{Admin, QueueError, QueueErrorKind, QueueName, State, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

/// The rates of a window shorter than this would jump.
const SHORTEST: Duration = Duration::from_secs(10);

/// The jobs of a queue a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Those that came in: pushed, or run again by an operator. `None` if that is not known.
    pub(crate) into: Option<u64>,
    /// Those that completed or were discarded. `None` if the store keeps no history.
    pub(crate) out: Option<u64>,
}

/// Reads what ended in the last whole minute and in this one. `None` if the store keeps no history.
pub(crate) async fn last_minutes(
    queue: &dyn Admin,
    now: Timestamp,
) -> Result<Option<Vec<HistoryRow>>, QueueError> {
    let request = HistoryRequest::since(minute_of(now).saturating_sub(MINUTE));
    match queue.history(&request).await {
        Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(None),
        rows => rows.map(Some),
    }
}

/// Returns the rates of a queue at a single poll: what left it in the last whole minute.
pub(crate) fn at_one_poll(summary: &QueueSummary, rows: Option<&[HistoryRow]>) -> Rates {
    let last = minute_of(summary.at).saturating_sub(MINUTE);
    let is_counted = |row: &&HistoryRow| row.queue == summary.queue && row.from == last;
    let out = rows.map(|rows| rows.iter().filter(is_counted).map(ended).sum());
    Rates { into: None, out }
}

fn ended(row: &HistoryRow) -> u64 {
    row.completed + row.discarded
}

/// The last minute of each queue, by successive polls of a store.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    queues: BTreeMap<QueueName, QueueFlow>,
}

/// The polls of one queue.
#[derive(Debug, Default)]
struct QueueFlow {
    /// The number of jobs that ended in each of the last minutes, as it was read last.
    minutes: BTreeMap<Timestamp, u64>,
    /// The number of those that ended in the minutes that are no longer read.
    before: u64,
    polls: VecDeque<Poll>,
}

#[derive(Clone, Copy, Debug)]
struct Poll {
    at: Timestamp,
    /// The jobs that ended since the first poll.
    ended: u64,
    /// `None` if there may be more jobs than were counted.
    unfinished: Option<u64>,
}

impl Flow {
    /// Adds a poll of the store.
    pub(crate) fn add(&mut self, summaries: &[QueueSummary], rows: &[HistoryRow]) {
        for summary in summaries {
            let of_queue = rows.iter().filter(|row| row.queue == summary.queue);
            self.queues.entry(summary.queue.clone()).or_default().add(summary, of_queue);
        }
    }

    /// Returns the rates of a queue within the last minute, if the polls last long enough.
    pub(crate) fn rates(&self, queue: &QueueName) -> Option<Rates> {
        self.queues.get(queue)?.rates()
    }
}

impl QueueFlow {
    fn add<'a>(&mut self, summary: &QueueSummary, rows: impl Iterator<Item = &'a HistoryRow>) {
        let mut read = BTreeMap::<_, u64>::new();
        for row in rows {
            *read.entry(row.from).or_default() += ended(row);
        }
        self.minutes.extend(read);
        let oldest_read = minute_of(summary.at).saturating_sub(MINUTE);
        let kept = self.minutes.split_off(&oldest_read);
        self.before += std::mem::replace(&mut self.minutes, kept).into_values().sum::<u64>();
        let ended = self.before + self.minutes.values().sum::<u64>();
        self.polls.push_back(Poll { at: summary.at, ended, unfinished: unfinished(summary) });
        while self.polls.len() > 2
            && self.polls.get(1).is_some_and(|poll| summary.at.since(poll.at) >= MINUTE)
        {
            self.polls.pop_front();
        }
    }

    fn rates(&self) -> Option<Rates> {
        let (first, last) = (self.polls.front()?, self.polls.back()?);
        let window = last.at.since(first.at);
        if window < SHORTEST {
            return None;
        }
        let a_minute = |jobs: u64| (jobs as f64 * MINUTE.as_secs_f64() / window.as_secs_f64()).round() as u64;
        let ended = last.ended.saturating_sub(first.ended);
        let into =
            first.unfinished.zip(last.unfinished).map(|(before, now)| (now + ended).saturating_sub(before));
        Some(Rates { into: into.map(a_minute), out: Some(a_minute(ended)) })
    }
}

/// Returns the number of unfinished jobs, if all were counted.
fn unfinished(summary: &QueueSummary) -> Option<u64> {
    let counts = State::ALL.into_iter().filter(|state| !state.is_finished()).map(|state| summary.of(state));
    counts.map(|count| (!count.is_capped).then_some(count.jobs)).sum()
}

#[cfg(test)]
mod tests {
    use queue_core::admin::Count;
    use queue_core::backend::Tally;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn summary(seconds: i64, available: Count) -> QueueSummary {
        let mut summary = QueueSummary::new("mail".into(), false, at(seconds));
        summary.set(State::Available, available);
        summary
    }

    fn jobs(number: u64) -> Count {
        Count::up_to(1_000, number)
    }

    fn row(minute: i64, completed: u64, discarded: u64) -> HistoryRow {
        let tally = Tally::new(completed, discarded, discarded, Duration::ZERO);
        HistoryRow::new(at(60 * minute), "mail".into(), "send".into(), tally)
    }

    #[test]
    fn one_poll_has_what_left_in_the_last_whole_minute() {
        let rows = [row(1, 7, 1), row(2, 100, 0)];

        let known = at_one_poll(&summary(150, jobs(5)), Some(&rows));
        let unknown = at_one_poll(&summary(150, jobs(5)), None);

        assert_eq!(known, Rates { into: None, out: Some(8) });
        assert_eq!(unknown, Rates::default());
    }

    #[test]
    fn what_came_in_has_ended_or_is_there() {
        let mut flow = Flow::default();
        flow.add(&[summary(130, jobs(10))], &[row(1, 50, 0), row(2, 4, 0)]);
        flow.add(&[summary(135, jobs(10))], &[row(1, 50, 0), row(2, 6, 0)]);
        assert_eq!(flow.rates(&"mail".into()), None, "5 s are too short");

        // 15 jobs have ended within 30 s, and there are 5 fewer than before.
        flow.add(&[summary(160, jobs(5))], &[row(1, 50, 0), row(2, 18, 1)]);

        assert_eq!(flow.rates(&"mail".into()), Some(Rates { into: Some(20), out: Some(30) }));
    }

    #[test]
    fn the_polls_of_a_minute_count_over_the_ends_of_minutes() {
        let mut flow = Flow::default();
        for second in 0..=600 {
            // One job is pushed and ends in each second.
            let minute = second / 60;
            let rows = [row(minute - 1, 60, 0), row(minute, u64::try_from(second % 60).unwrap() + 1, 0)];
            flow.add(&[summary(second, jobs(3))], &rows);
        }

        assert_eq!(flow.rates(&"mail".into()), Some(Rates { into: Some(60), out: Some(60) }));
    }

    #[test]
    fn what_came_in_is_unknown_if_not_all_jobs_were_counted() {
        let mut flow = Flow::default();
        flow.add(&[summary(100, jobs(2_000))], &[row(1, 1, 0)]);
        flow.add(&[summary(130, jobs(2_000))], &[row(1, 1, 0), row(2, 5, 0)]);

        assert_eq!(flow.rates(&"mail".into()), Some(Rates { into: None, out: Some(10) }));
        assert_eq!(flow.rates(&"other".into()), None);
    }
}
