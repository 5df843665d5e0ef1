//! Reads jobs and other values from rows. `tasks/claim/scan.rs` reads the rows of claims, and `columns/` writes values.

use std::sync::Arc;

use queue_core::admin::AttemptError;
use queue_core::backend::{JobValues, read_meta, read_state, to_u32, to_u64};
use queue_core::{
    Body, Fence, JobId, JobProgress, JobRecord, Meta, OnDiscard, Partition, QueueError, State, StoredResult,
    Timestamp, WorkerId,
};
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

/// Reads an unsigned number.
pub(crate) fn read_u64(row: &PgRow, column: usize) -> sqlx::Result<u64> {
    row.try_get(column).map(to_u64)
}

/// Returns the state with this number: see `state_name` in the schema.
pub(crate) fn state(number: i32) -> sqlx::Result<State> {
    read_state(number.into()).map_err(unreadable)
}

/// Reads the meta of a job.
pub(crate) fn meta(row: &PgRow, column: usize) -> sqlx::Result<Meta> {
    read_meta(row.try_get(column)?).map_err(unreadable)
}

/// Reads the partition of a job.
pub(crate) fn partition(row: &PgRow, column: usize) -> sqlx::Result<Partition> {
    Ok(row.try_get::<Option<&str>, _>(column)?.map(Partition::new).unwrap_or_default())
}

fn on_discard(row: &PgRow, column: usize) -> sqlx::Result<Option<Arc<OnDiscard>>> {
    let stored = row.try_get::<Option<&str>, _>(column)?.map(OnDiscard::from_json).transpose();
    Ok(stored.map_err(unreadable)?.map(Arc::new))
}

fn unreadable(error: QueueError) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

/// Reads a row of `get` or `list`, as of the server's time. Returns the job's position in push order with it.
pub(crate) fn job_record(row: &PgRow) -> sqlx::Result<(u64, JobRecord)> {
    let values = JobValues {
        id: JobId::from(row.try_get::<Uuid, _>(1)?),
        queue: row.try_get::<&str, _>(3)?.into(),
        name: row.try_get::<&str, _>(2)?.into(),
        body: Body::stored(row.try_get::<&str, _>(16)?),
        meta: meta(row, 17)?,
        attempt: row.try_get(6)?,
        max_attempts: row.try_get(7)?,
        priority: row.try_get(5)?,
        pushed_at: row.try_get(9)?,
        run_at: row.try_get(10)?,
    };
    let mut record = values.into_record();
    record.state = state(row.try_get(4)?)?;
    record.fence = Fence(read_u64(row, 8)?);
    record.claimed_at = optional_timestamp(row, 11)?;
    record.finished_at = optional_timestamp(row, 13)?;
    record.unique = row.try_get(14)?;
    record.cancel_reason = row.try_get(15)?;
    record.errors = errors(row)?;
    record.claimed_by = row.try_get::<Option<&str>, _>(22)?.map(WorkerId::new);
    record.result = row.try_get::<Option<&str>, _>(23)?.map(StoredResult::stored);
    record.progress = progress(row)?;
    record.on_discard = on_discard(row, 26)?;
    record.unique_until = optional_timestamp(row, 27)?;
    record.partition = partition(row, 28)?;
    Ok((read_u64(row, 0)?, record.as_of(optional_timestamp(row, 12)?, timestamp(row, 21)?)))
}

fn progress(row: &PgRow) -> sqlx::Result<Option<JobProgress>> {
    let (percent, note) = (row.try_get::<Option<i16>, _>(24)?, row.try_get::<Option<String>, _>(25)?);
    let percent = percent.map(|percent| u8::try_from(percent).unwrap_or(100));
    Ok(percent.map(|percent| JobProgress::new(percent, note.unwrap_or_default())))
}

fn errors(row: &PgRow) -> sqlx::Result<Vec<AttemptError>> {
    let attempts: Vec<i64> = row.try_get::<Option<_>, _>(18)?.unwrap_or_default();
    let times: Vec<i64> = row.try_get::<Option<_>, _>(19)?.unwrap_or_default();
    let messages: Vec<String> = row.try_get::<Option<_>, _>(20)?.unwrap_or_default();
    let errors = attempts.into_iter().zip(times).zip(messages).map(|((attempt, at), message)| {
        AttemptError::new(to_u32(attempt), Timestamp::from_micros(at), message)
    });
    Ok(errors.collect())
}
