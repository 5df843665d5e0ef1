//! Reads the history: see `sql/history.rs`.

use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow};
use queue_core::backend::{HistoryRows, Tally};
use queue_core::{JobName, QueueName, State, Timestamp};
use rusqlite::{Connection, Result, Row};

use crate::rows;
use crate::sql::history::{EXPIRED, TALLIES};

/// Returns the rows of a request at `now`. A lease that has expired counts, whether the writer has ended it or not.
pub(crate) fn history(
    connection: &Connection,
    request: &HistoryRequest,
    now: Timestamp,
) -> Result<Vec<HistoryRow>> {
    let mut history = HistoryRows::new(request, now);
    let (minutes, queue) = (history.minutes(), request.queue.as_ref().map(QueueName::as_str));
    let mut tallies = connection.prepare_cached(TALLIES)?;
    let mut stored = tallies.query((minutes.start.as_micros(), minutes.end.as_micros(), queue))?;
    while let Some(row) = stored.next()? {
        let (queue, name) = series(row)?;
        history.add(rows::timestamp(row, 2)?, &queue, &name, tally(row)?);
    }
    let mut expired = connection.prepare_cached(EXPIRED)?;
    let mut leases = expired.query([now.as_micros()])?;
    while let Some(row) = leases.next()? {
        let (queue, name) = series(row)?;
        let expired_at = rows::timestamp(row, 2)?;
        let state = State::after_expiry(row.get(4)?, row.get(5)?, row.get(6)?);
        let run_time = expired_at.since(rows::timestamp(row, 3)?);
        history.add(expired_at, &queue, &name, Tally::of_expiry(state, run_time));
    }
    Ok(history.into_rows())
}

/// Reads the names of a queue and of a kind of job.
fn series(row: &Row<'_>) -> Result<(QueueName, JobName)> {
    Ok((QueueName::new(row.get_ref(0)?.as_str()?), JobName::new(row.get_ref(1)?.as_str()?)))
}

fn tally(row: &Row<'_>) -> Result<Tally> {
    let [completed, failed, discarded, micros] = [3, 4, 5, 6].map(|column| rows::read_u64(row, column));
    Ok(Tally::new(completed?, failed?, discarded?, Duration::from_micros(micros?)))
}
