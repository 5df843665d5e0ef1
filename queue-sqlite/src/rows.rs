//! Conversions between rows and jobs. No other file knows how a value is stored.

use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::AttemptError;
use queue_core::backend::{JobValues, error_chain, read_meta, read_state, to_u64};
use queue_core::{
    Body, Delivery, Fence, JobId, JobProgress, JobRecord, Lease, Limit, LimitScope, Meta, OnDiscard,
    Partition, QueueError, QueueName, Rate, State, StoredResult, Timestamp, WorkerId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row};

use crate::sql;

/// A job's position in push order, which is its key in the tables.
pub(crate) type Seq = i64;

/// Returns the 16 bytes that are stored for an id.
pub(crate) fn id_bytes(id: JobId) -> [u8; 16] {
    id.as_u128().to_be_bytes()
}

/// Reads a job id.
pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<JobId> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(JobId::from_u128(u128::from_be_bytes(bytes)))
}

/// Reads a timestamp.
pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// Reads a state by its number.
pub(crate) fn state(row: &Row<'_>, column: usize) -> Result<State> {
    read_state(row.get(column)?).map_err(|error| unreadable(column, &error))
}

/// Reads an unsigned number.
pub(crate) fn read_u64(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get(column).map(to_u64)
}

/// Reads the partition of a job.
pub(crate) fn partition(row: &Row<'_>, column: usize) -> Result<Partition> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(Partition::new).unwrap_or_default())
}

/// Reads a limit from the columns `max_running`, `starts`, `per`, `burst` and `weight`.
pub(crate) fn limit(row: &Row<'_>, column: usize) -> Result<Limit> {
    let mut limit = Limit::weight(row.get(column + 4)?);
    limit.running = row.get(column)?;
    if let Some(starts) = row.get(column + 1)? {
        let mut rate = Rate::new(starts, Duration::from_nanos(read_u64(row, column + 2)?));
        rate.burst = row.get(column + 3)?;
        limit.rate = Some(rate);
    }
    Ok(limit)
}

/// Reads the scope of a limit from the columns `scope` and `partition`.
pub(crate) fn scope(row: &Row<'_>, column: usize) -> Result<LimitScope> {
    Ok(match row.get(column)? {
        0 => LimitScope::Total,
        1 => LimitScope::Each,
        2 => LimitScope::One(Partition::new(row.get_ref(column + 1)?.as_str()?)),
        other => return Err(Error::IntegralValueOutOfRange(column, other)),
    })
}

/// Returns the values that are stored for the scope of a limit.
pub(crate) fn scope_values(scope: &LimitScope) -> Result<(i64, &str)> {
    match scope {
        LimitScope::Total => Ok((0, "")),
        LimitScope::Each => Ok((1, "")),
        LimitScope::One(partition) => Ok((2, partition.as_str())),
        _ => Err(Error::ToSqlConversionFailure(format!("the scope {scope:?} is not known").into())),
    }
}

/// Returns the values that are stored for a limit, in the order in which they are read.
pub(crate) fn limit_values(limit: &Limit) -> (Option<u32>, Option<u32>, Option<i64>, Option<u32>) {
    let rate = limit.rate;
    // The longest window has 3 * 10^16 nanoseconds.
    let per = rate.map(|rate| i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX));
    (limit.running, rate.map(|rate| rate.starts), per, rate.map(|rate| rate.burst))
}

fn text<T: for<'a> From<&'a str>>(row: &Row<'_>, column: usize) -> Result<T> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

fn fence(row: &Row<'_>, column: usize) -> Result<Fence> {
    read_u64(row, column).map(Fence)
}

fn meta(row: &Row<'_>, column: usize) -> Result<Meta> {
    read_meta(row.get_ref(column)?.as_str_or_null()?).map_err(|error| unreadable(column, &error))
}

/// The body of a job whose payload or meta can't be read. It is not JSON, so an attempt fails to decode it, and the job is
/// discarded. The stored bytes are kept.
const UNREADABLE: &str = "unreadable";

/// Reads the payload and meta of a job, from its row or from `queue_payloads`.
///
/// SQLite does not check that text is UTF-8, so the SQL of another program can store bytes that are not. An error here would
/// fail each claim of the queue.
fn body_and_meta(connection: &Connection, row: &Row<'_>, column: usize) -> Result<(Body, Meta)> {
    let body = |row: &Row<'_>, column| match (text::<String>(row, column), meta(row, column + 1)) {
        (Ok(payload), Ok(meta)) => (Body::stored(payload), meta),
        (payload, meta) => {
            let error = payload.err().or(meta.err());
            tracing::error!(
                ?error,
                "the payload or meta of a stored job can't be read, so the job can't be decoded"
            );
            (Body::stored(UNREADABLE), Meta::new())
        }
    };
    if row.get(column + 2)? {
        let seq: Seq = row.get(0)?;
        return connection.prepare_cached(sql::EXTERNAL_PAYLOAD)?.query_row([seq], |row| Ok(body(row, 0)));
    }
    Ok(body(row, column))
}

/// Reads text whose bytes may not be UTF-8.
fn lossy_text(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// Reads the `on_discard` of a job. If it can't be read, returns `None`, since an error would fail each list that has the job.
fn on_discard(row: &Row<'_>, column: usize) -> Result<Option<Arc<OnDiscard>>> {
    let stored = row.get_ref(column)?.as_str_or_null()?.map(OnDiscard::from_json).transpose();
    let read = stored.inspect_err(|error| {
        tracing::error!(?error, "the `on_discard` of a stored job can't be read, showing none");
    });
    Ok(read.ok().flatten().map(Arc::new))
}

fn unreadable(column: usize, error: &QueueError) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error_chain(error).into())
}

/// Reads a row of `READY` as the delivery of a job that is leased at `now`.
pub(crate) fn delivery(
    connection: &Connection,
    row: &Row<'_>,
    (queue, partition): (&QueueName, &Partition),
    now: Timestamp,
    lease: Duration,
) -> Result<(Seq, Delivery)> {
    let fence = Fence(fence(row, 5)?.0 + 1);
    let lease = Lease::new(id(row, 1)?, fence, lease, now.saturating_add(lease));
    let (body, meta) = body_and_meta(connection, row, 9)?;
    let values = JobValues {
        id: lease.job,
        queue: queue.clone(),
        name: text(row, 2)?,
        body,
        meta,
        attempt: row.get::<_, i64>(3)?.saturating_add(1),
        max_attempts: row.get(4)?,
        priority: row.get(6)?,
        pushed_at: row.get(7)?,
        run_at: row.get(8)?,
    };
    let mut record = values.into_record();
    record.partition = partition.clone();
    Ok((row.get(0)?, Delivery::new(record, lease)))
}

/// Reads a row of `GET` or `LIST`, and its `state_time`. The errors of the job are in another table.
pub(crate) fn job_record(
    connection: &Connection,
    row: &Row<'_>,
) -> Result<(Seq, JobRecord, Option<Timestamp>)> {
    let (body, meta) = body_and_meta(connection, row, 15)?;
    let values = JobValues {
        id: id(row, 1)?,
        queue: text(row, 3)?,
        name: text(row, 2)?,
        body,
        meta,
        attempt: row.get(6)?,
        max_attempts: row.get(7)?,
        priority: row.get(5)?,
        pushed_at: row.get(9)?,
        run_at: row.get(10)?,
    };
    let mut record = values.into_record();
    record.state = state(row, 4)?;
    record.fence = fence(row, 8)?;
    record.claimed_at = row.get::<_, Option<i64>>(11)?.map(Timestamp::from_micros);
    let state_time = row.get::<_, Option<i64>>(12)?.map(Timestamp::from_micros);
    record.finished_at = state_time.filter(|_| record.state.is_finished());
    record.unique = lossy_text(row, 13)?;
    record.cancel_reason = row.get(14)?;
    record.claimed_by = row.get::<_, Option<String>>(18)?.map(WorkerId::new);
    record.result = row.get::<_, Option<String>>(19)?.map(StoredResult::stored);
    if record.state == State::Executing {
        let (percent, note) = (row.get::<_, Option<u8>>(20)?, row.get::<_, Option<String>>(21)?);
        record.progress = percent.map(|percent| JobProgress::new(percent, note.unwrap_or_default()));
    }
    record.on_discard = on_discard(row, 22)?;
    record.unique_until = row.get::<_, Option<i64>>(23)?.map(Timestamp::from_micros);
    record.partition = partition(row, 24)?;
    Ok((row.get(0)?, record, state_time))
}

/// Reads a row of `FAILURES`.
pub(crate) fn attempt_error(row: &Row<'_>) -> Result<AttemptError> {
    Ok(AttemptError::new(row.get(0)?, timestamp(row, 1)?, row.get::<_, String>(2)?))
}

/// Adds the errors to a record, and applies what is due by `now`.
pub(crate) fn with_errors(
    connection: &Connection,
    (seq, mut record, state_time): (Seq, JobRecord, Option<Timestamp>),
    now: Timestamp,
) -> Result<JobRecord> {
    let mut failures = connection.prepare_cached(sql::FAILURES)?;
    record.errors = failures.query_map([seq], attempt_error)?.collect::<Result<_>>()?;
    Ok(record.as_of(state_time, now))
}
