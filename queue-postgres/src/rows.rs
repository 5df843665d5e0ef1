//! Rows as jobs. No other file knows how a value is stored.

use queue_core::admin::AttemptError;
use queue_core::{Body, Fence, JobId, JobRecord, Meta, State, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Reads a time.
pub(crate) fn timestamp(row: &PgRow, column: usize) -> sqlx::Result<Timestamp> {
    row.try_get(column).map(Timestamp::from_micros)
}

/// Reads a time that may be null.
pub(crate) fn optional_timestamp(row: &PgRow, column: usize) -> sqlx::Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_micros))
}

/// Returns a number as its column stores it, which is at most `i64::MAX`.
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads an unsigned number. A negative one, which no statement writes, is read as 0.
pub(crate) fn read_u64(row: &PgRow, column: usize) -> sqlx::Result<u64> {
    row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

/// Reads a number of attempts, at most `u32::MAX`.
pub(crate) fn attempts(row: &PgRow, column: usize) -> sqlx::Result<u32> {
    read_u64(row, column).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Returns the state with this number: see `state_name` in the schema.
pub(crate) fn state(number: i32) -> sqlx::Result<State> {
    let found = usize::try_from(number).ok().and_then(|number| State::ALL.get(number));
    found.copied().ok_or_else(|| sqlx::Error::Decode(format!("there is no state {number}").into()))
}

/// Reads a row of `get` or `list`, as of the server's time. Returns the job's position in push order with it.
pub(crate) fn job_record(row: &PgRow) -> sqlx::Result<(u64, JobRecord)> {
    let id = JobId::from(row.try_get::<Uuid, _>(1)?);
    let body = Body::stored(row.try_get::<&str, _>(16)?);
    let mut record = JobRecord::new(id, row.try_get::<&str, _>(2)?.into(), body);
    record.queue = row.try_get::<&str, _>(3)?.into();
    record.state = state(row.try_get(4)?)?;
    record.priority = row.try_get(5)?;
    record.attempt = attempts(row, 6)?;
    record.max_attempts = attempts(row, 7)?;
    record.fence = Fence(read_u64(row, 8)?);
    record.pushed_at = timestamp(row, 9)?;
    record.run_at = timestamp(row, 10)?;
    record.claimed_at = optional_timestamp(row, 11)?;
    record.finished_at = optional_timestamp(row, 13)?;
    record.unique = row.try_get(14)?;
    record.cancel_reason = row.try_get(15)?;
    if let Some(words) = row.try_get::<Option<&str>, _>(17)? {
        record.meta = Meta::from_json(words).map_err(|error| sqlx::Error::Decode(error.into()))?;
    }
    record.errors = errors(row)?;
    Ok((read_u64(row, 0)?, record.as_of(optional_timestamp(row, 12)?, timestamp(row, 21)?)))
}

fn errors(row: &PgRow) -> sqlx::Result<Vec<AttemptError>> {
    let attempts: Vec<i64> = row.try_get::<Option<_>, _>(18)?.unwrap_or_default();
    let times: Vec<i64> = row.try_get::<Option<_>, _>(19)?.unwrap_or_default();
    let messages: Vec<String> = row.try_get::<Option<_>, _>(20)?.unwrap_or_default();
    let errors = attempts.into_iter().zip(times).zip(messages).map(|((attempt, at), message)| {
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        AttemptError::new(attempt, Timestamp::from_micros(at), message)
    });
    Ok(errors.collect())
}
