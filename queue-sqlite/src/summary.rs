//! Reads the summary of each queue: see `sql/summary.rs`.

use queue_core::admin::{Count, QueueSummary};
use queue_core::backend::{AnnouncementReader, to_i64};
use queue_core::{QueueName, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use crate::rows;
use crate::sql;
use crate::sql::partitions::READY_NAMED;
use crate::sql::summary::{COUNT_DUE, COUNT_LATER, COUNT_READY, FIRST_LATER, FIRST_READY, LEASES};
use crate::workers::workers;

/// Returns the summary of each queue, sorted by name.
pub(crate) fn summaries(
    connection: &Connection,
    reader: &AnnouncementReader,
    now: Timestamp,
    cap: u64,
) -> Result<Vec<QueueSummary>> {
    let mut leases = connection.prepare_cached(LEASES)?;
    let limit = to_i64(cap.saturating_add(1));
    let leases = leases.query_map([limit], |row| LeasedJob::read(row, now))?.collect::<Result<Vec<_>>>()?;
    let is_cut = leases.len() as u64 > cap;
    let mut queues = connection.prepare_cached(sql::QUEUES)?;
    let queue = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?));
    let summary = |queue: Result<(i64, String, bool)>| {
        let (queue_id, name, paused) = queue?;
        let mut summary = QueueSummary::new(QueueName::from(name), paused, now);
        let found = Scan { connection, queue_id, now, limit, cap }.run(&leases, &mut summary)?;
        for (state, found) in State::ALL.into_iter().zip(found) {
            let count = Count::up_to(cap, found);
            summary.set(state, if is_cut { count.at_least() } else { count });
        }
        Ok(summary)
    };
    let mut summaries = queues.query_map([], queue)?.map(summary).collect::<Result<Vec<_>>>()?;
    let workers = workers(connection, reader, now)?;
    summaries.iter_mut().for_each(|summary| summary.add_workers(&workers));
    Ok(summaries)
}

/// A job with a lease.
struct LeasedJob {
    queue_id: i64,
    /// The state of the job now: executing, unless the lease has expired.
    state: State,
    run_at: Timestamp,
}

impl LeasedJob {
    fn read(row: &Row<'_>, now: Timestamp) -> Result<Self> {
        let has_expired = rows::timestamp(row, 1)? <= now;
        let state = State::after_expiry(row.get(3)?, row.get(4)?, row.get(5)?);
        let state = if has_expired { state } else { State::Executing };
        Ok(Self { queue_id: row.get(0)?, state, run_at: rows::timestamp(row, 2)? })
    }
}

/// The scan of one queue.
struct Scan<'a> {
    connection: &'a Connection,
    queue_id: i64,
    now: Timestamp,
    /// The greatest count: one more than the cap.
    limit: i64,
    cap: u64,
}

/// An instant before every other.
const BEGINNING: Timestamp = Timestamp::from_micros(i64::MIN);

impl Scan<'_> {
    /// Sets the times of the summary, and returns the number of jobs that were found in each state.
    fn run(&self, leases: &[LeasedJob], summary: &mut QueueSummary) -> Result<[u64; State::ALL.len()]> {
        let mut found = [0; State::ALL.len()];
        let mut add = |state: State, jobs: u64| {
            if let Some(count) = found.get_mut(state as usize) {
                *count += jobs;
            }
        };
        let mut oldest = self.oldest_ready(self.queue_id)?;
        add(State::Available, self.count(COUNT_READY, (self.queue_id, self.limit))?);
        for (partition_id, ready) in self.named_partitions()? {
            add(State::Available, ready);
            oldest = earlier(oldest, self.oldest_ready(partition_id)?);
        }
        for state in [State::Scheduled, State::Retryable] {
            add(state, self.count(COUNT_LATER, self.timed(state, self.now))?);
            add(State::Available, self.count(COUNT_DUE, self.timed(state, self.now))?);
            summary.next_due = earlier(summary.next_due, self.first_later(state, self.now)?);
            let first = self.first_later(state, BEGINNING)?;
            oldest = earlier(oldest, first.filter(|due| *due <= self.now));
        }
        for state in [State::Completed, State::Discarded, State::Cancelled] {
            add(state, self.count(COUNT_LATER, self.timed(state, BEGINNING))?);
        }
        for lease in leases.iter().filter(|lease| lease.queue_id == self.queue_id) {
            add(lease.state, 1);
            oldest = earlier(oldest, (lease.state == State::Available).then_some(lease.run_at));
        }
        summary.oldest_ready = oldest;
        Ok(found)
    }

    /// Returns the named partitions with ready jobs, each with their number.
    fn named_partitions(&self) -> Result<Vec<(i64, u64)>> {
        let mut named = self.connection.prepare_cached(READY_NAMED)?;
        let all: Option<&str> = None;
        named.query_map((self.queue_id, all), |row| Ok((row.get(0)?, rows::read_u64(row, 1)?)))?.collect()
    }

    /// Returns the earliest `run_at` of the stored ready jobs of a partition. Searches for the first job of each priority, up to the
    /// cap.
    fn oldest_ready(&self, partition_id: i64) -> Result<Option<Timestamp>> {
        let mut find = self.connection.prepare_cached(FIRST_READY)?;
        let (mut oldest, mut priority) = (None, i64::MIN);
        for _ in 0..self.cap {
            let first =
                find.query_row((partition_id, priority), |row| Ok((row.get(0)?, rows::timestamp(row, 1)?)));
            let Some((next, run_at)) = first.optional()? else { break };
            priority = next;
            oldest = earlier(oldest, Some(run_at));
        }
        Ok(oldest)
    }

    fn first_later(&self, state: State, than: Timestamp) -> Result<Option<Timestamp>> {
        let mut find = self.connection.prepare_cached(FIRST_LATER)?;
        let parameters = (self.queue_id, state as i64, than.as_micros());
        find.query_row(parameters, |row| rows::timestamp(row, 0)).optional()
    }

    fn count(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<u64> {
        self.connection.prepare_cached(statement)?.query_row(parameters, |row| rows::read_u64(row, 0))
    }

    fn timed(&self, state: State, at: Timestamp) -> (i64, i64, i64, i64) {
        (self.queue_id, state as i64, at.as_micros(), self.limit)
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
