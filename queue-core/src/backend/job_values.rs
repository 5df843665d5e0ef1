//! A job's values, as a backend reads them from a row.

use super::column::to_u32;
use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::Meta;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::JobRecord;

/// The values that a worker and an operator both see of a job. Claims and listings read them.
///
/// Numbers are as a column stores them. Out of range, they are read as the nearest valid one. A backend that leaves out a
/// value does not compile.
///
/// ```
/// use queue_core::backend::JobValues;
/// use queue_core::{Body, JobId, Meta, Timestamp};
///
/// let values = JobValues {
///     id: JobId::random(),
///     queue: "mail".into(),
///     name: "send_mail".into(),
///     body: Body::stored("{}"),
///     meta: Meta::new(),
///     attempt: 1,
///     max_attempts: 20,
///     priority: 0,
///     pushed_at: 1_700_000_000_000_000,
///     run_at: 1_700_000_060_000_000,
/// };
///
/// let record = values.into_record();
/// assert_eq!(record.attempt, 1);
/// assert_eq!(record.pushed_at, Timestamp::from_micros(1_700_000_000_000_000));
/// ```
#[derive(Clone, Debug)]
pub struct JobValues {
    /// The id.
    pub id: JobId,
    /// The queue.
    pub queue: QueueName,
    /// The kind of job.
    pub name: JobName,
    /// The body.
    pub body: Body,
    /// The meta.
    pub meta: Meta,
    /// The number of attempts that have started, the one of a claim included.
    pub attempt: i64,
    /// The maximum number of attempts.
    pub max_attempts: i64,
    /// The priority.
    pub priority: i32,
    /// When the job was stored, in microseconds.
    pub pushed_at: i64,
    /// When the job becomes ready, in microseconds.
    pub run_at: i64,
}

impl JobValues {
    /// Returns a record with these values. Its other values are those of a new job.
    #[must_use]
    pub fn into_record(self) -> JobRecord {
        let Self { id, queue, name, body, meta, attempt, max_attempts, priority, pushed_at, run_at } = self;
        let mut record = JobRecord::new(id, name, body);
        record.queue = queue;
        record.meta = meta;
        record.attempt = to_u32(attempt);
        record.max_attempts = to_u32(max_attempts);
        record.priority = priority;
        record.pushed_at = Timestamp::from_micros(pushed_at);
        record.run_at = Timestamp::from_micros(run_at);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> JobValues {
        JobValues {
            id: JobId::random(),
            queue: "mail".into(),
            name: "send_mail".into(),
            body: Body::stored("{}"),
            meta: [("tenant", "7")].into_iter().collect(),
            attempt: 2,
            max_attempts: 5,
            priority: -1,
            pushed_at: 10,
            run_at: 20,
        }
    }

    #[test]
    fn a_record_has_each_value() {
        let values = values();

        let record = values.clone().into_record();

        assert_eq!((record.id, record.queue, record.name), (values.id, values.queue, values.name));
        assert_eq!(record.meta, values.meta);
        assert_eq!((record.attempt, record.max_attempts, record.priority), (2, 5, -1));
        assert_eq!(record.pushed_at, Timestamp::from_micros(10));
        assert_eq!(record.run_at, Timestamp::from_micros(20));
    }

    #[test]
    fn attempts_out_of_range_are_the_nearest_valid_number() {
        let record = JobValues { attempt: -1, max_attempts: i64::MAX, ..values() }.into_record();

        assert_eq!((record.attempt, record.max_attempts), (0, u32::MAX));
    }
}
