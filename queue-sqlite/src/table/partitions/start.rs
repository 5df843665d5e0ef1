//! When jobs of a queue can start. These functions only read, and need no transaction.

use queue_core::{QueueName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use super::counts::Total;
use crate::sql::partitions::NEXT_START;
use crate::sql::{ANY_READY, FIND_QUEUE};

/// Returns whether a claim of a queue would find a job.
pub(crate) fn is_ready(connection: &Connection, queue: &QueueName, now: Timestamp) -> Result<bool> {
    let mut find = connection.prepare_cached(ANY_READY)?;
    let found = find.query_row([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    Ok(match found.optional()? {
        Some((queue_id, true, _)) => start(connection, queue_id)?.is_some_and(|at| at <= now),
        Some((_, false, is_ready)) => is_ready,
        None => false,
    })
}

/// Returns when a claim of a shared queue finds a ready job that may not start yet. Returns `None` if it does not without another
/// event, and for a queue that is not shared.
pub(crate) fn next_start(connection: &Connection, queue: &QueueName) -> Result<Option<Timestamp>> {
    let mut find = connection.prepare_cached(FIND_QUEUE)?;
    let found = find.query_row([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    match found.optional()? {
        Some((queue_id, false, true)) => start(connection, queue_id),
        _ => Ok(None),
    }
}

/// Returns when the first ready job of a shared queue may start, unless too many run.
fn start(connection: &Connection, queue_id: i64) -> Result<Option<Timestamp>> {
    let mut find = connection.prepare_cached(NEXT_START)?;
    let start = |row: &Row<'_>| {
        let total = Total::read(row, 0)?.counts.limit_use;
        let (open, held): (Option<i64>, Option<i64>) = (row.get(10)?, row.get(11)?);
        let first = open.into_iter().chain(held).min().map(Timestamp::from_micros);
        Ok(first.filter(|_| !total.is_full()).map(|first| first.max(total.free_at)))
    };
    Ok(find.query_row([queue_id], start).optional()?.flatten())
}
