//! A batch of jobs as columns: statements take an array for each column.

use std::time::Duration;

use queue_core::backend::Encoded;
use queue_core::{OnConflict, QueueName, Schedule};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

/// Jobs by column. A column is `None` if no job of the batch has a value for it.
#[derive(Default)]
pub(crate) struct JobColumns {
    /// The names of the queues, without duplicates.
    queues: Vec<String>,
    ids: Vec<Uuid>,
    id_given: Option<Vec<bool>>,
    /// The index of each job's queue in `queues`, from 1 as in SQL.
    queue_of: Vec<i32>,
    names: Vec<String>,
    priorities: Vec<i32>,
    max_attempts: Vec<i64>,
    delays: Option<Vec<Option<i64>>>,
    times: Option<Vec<Option<i64>>>,
    unique_keys: Option<Vec<Option<String>>>,
    unique_for: Option<Vec<Option<i64>>>,
    replace: Option<Vec<bool>>,
    payloads: Vec<String>,
    metas: Option<Vec<Option<String>>>,
    on_discards: Option<Vec<Option<String>>>,
    partitions: Option<Vec<Option<String>>>,
}

impl JobColumns {
    /// Returns the columns of these jobs. With `is_resend`, any of them may be stored already.
    pub(crate) fn of<'a>(jobs: impl Iterator<Item = &'a Encoded> + Clone, is_resend: bool) -> Self {
        let mut columns = Self::default();
        for Encoded { id, job, payload, .. } in jobs.clone() {
            columns.ids.push(id.as_uuid());
            let queue = columns.index_of(&job.queue);
            columns.queue_of.push(queue);
            columns.names.push(job.name.as_str().to_owned());
            columns.priorities.push(job.priority);
            columns.max_attempts.push(i64::from(job.max_attempts));
            columns.payloads.push(payload.to_string());
        }
        let unique = |job: &'a Encoded| job.job.unique.as_ref();
        let has_keys = jobs.clone().any(|job| unique(job).is_some());
        let is_any_id_given = is_resend || has_keys || jobs.clone().any(|job| job.is_chosen);
        columns.id_given =
            is_any_id_given.then(|| jobs.clone().map(|job| is_resend || job.is_chosen).collect());
        columns.delays = column(jobs.clone(), |job| match job.job.schedule {
            Schedule::After(delay) => Some(micros(delay)),
            _ => None,
        });
        columns.times = column(jobs.clone(), |job| match job.job.schedule {
            Schedule::At(at) => Some(at.as_micros()),
            _ => None,
        });
        columns.unique_keys = column(jobs.clone(), |job| unique(job).map(|unique| unique.key.clone()));
        columns.unique_for = column(jobs.clone(), |job| unique(job)?.window.map(micros));
        let replace = |job| unique(job).is_some_and(|unique| unique.on_conflict == OnConflict::Replace);
        columns.replace = has_keys.then(|| jobs.clone().map(replace).collect());
        columns.metas = column(jobs.clone(), |job| job.meta.clone());
        columns.on_discards = column(jobs.clone(), |job| job.on_discard.clone());
        columns.partitions = column(jobs, |job| job.job.partition.name().map(str::to_owned));
        columns
    }

    /// Returns the index of a queue's name, and adds a new name. The search is linear, as most batches have one queue.
    fn index_of(&mut self, queue: &QueueName) -> i32 {
        let known = self.queues.iter().rposition(|known| known == queue.as_str());
        let index = known.unwrap_or_else(|| {
            self.queues.push(queue.as_str().to_owned());
            self.queues.len() - 1
        });
        i32::try_from(index + 1).unwrap_or(i32::MAX)
    }

    /// Binds the columns to a statement, in the order of the parameters of `push`.
    pub(crate) fn bind<'q>(
        self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        let query = query.bind(self.queues).bind(self.ids).bind(self.id_given).bind(self.queue_of);
        let query = query.bind(self.names);
        let query = query.bind(self.priorities).bind(self.max_attempts).bind(self.delays).bind(self.times);
        let query = query.bind(self.unique_keys).bind(self.unique_for).bind(self.replace);
        query.bind(self.payloads).bind(self.metas).bind(self.on_discards).bind(self.partitions)
    }

    /// Binds null for each column, for a statement that stores no jobs.
    pub(crate) fn bind_none<'q>(query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let query = query.bind(None::<Vec<String>>);
        let query = query.bind(None::<Vec<Uuid>>).bind(None::<Vec<bool>>).bind(None::<Vec<i32>>);
        let query = query.bind(None::<Vec<String>>).bind(None::<Vec<i32>>).bind(None::<Vec<i64>>);
        let query = query.bind(None::<Vec<i64>>).bind(None::<Vec<i64>>).bind(None::<Vec<String>>);
        let query = query.bind(None::<Vec<i64>>).bind(None::<Vec<bool>>);
        let query = query.bind(None::<Vec<String>>).bind(None::<Vec<String>>).bind(None::<Vec<String>>);
        query.bind(None::<Vec<String>>)
    }
}

/// Returns whether the job has default options, and an id that cannot be stored already: `PUSH_ONE` stores such a job.
pub(crate) fn has_defaults_only(job: &Encoded) -> bool {
    let plain = job.job.unique.is_none() && job.job.on_discard.is_none() && job.job.partition.is_none();
    plain && !job.is_chosen && job.job.schedule == Schedule::Now
}

/// Binds one job to the statement `PUSH_ONE`.
pub(crate) fn bind_one<'q>(
    query: Query<'q, Postgres, PgArguments>,
    job: &Encoded,
) -> Query<'q, Postgres, PgArguments> {
    let Encoded { id, job, payload, meta, .. } = job;
    let query = query
        .bind(id.as_uuid())
        .bind(job.queue.as_str().to_owned())
        .bind(job.name.as_str().to_owned())
        .bind(job.priority);
    query.bind(i64::from(job.max_attempts)).bind(payload.to_string()).bind(meta.clone())
}

fn column<'a, T>(
    jobs: impl Iterator<Item = &'a Encoded> + Clone,
    value: impl Fn(&'a Encoded) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    jobs.clone().any(|job| value(job).is_some()).then(|| jobs.map(value).collect())
}

/// Returns a duration in microseconds, at most `i64::MAX`: added to the current time, that exceeds the range of times too.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
