//! Imported jobs as columns: the arguments of the statement `import_jobs`.

use queue_core::Timestamp;
use queue_core::backend::{Encoded, JobPast, to_i64};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::storable::storable_text;

/// Jobs with their pasts.
pub(crate) type Imports = [(Encoded, JobPast)];

/// Binds imported jobs to the statement `import_jobs`. With `ascii_only`, their errors are written in ASCII.
pub(crate) fn bind_imports<'q>(
    query: Query<'q, Postgres, PgArguments>,
    jobs: &Imports,
    ascii_only: bool,
) -> Query<'q, Postgres, PgArguments> {
    let query = query
        .bind(column(jobs, |(job, _)| job.id.as_uuid()))
        .bind(column(jobs, |(job, _)| job.job.queue.as_str().to_owned()))
        .bind(column(jobs, |(job, _)| job.job.name.as_str().to_owned()))
        .bind(column(jobs, |(job, _)| job.job.priority))
        .bind(column(jobs, |(_, past)| i64::from(past.attempt)))
        .bind(column(jobs, |(job, _)| i64::from(job.job.max_attempts)))
        .bind(column(jobs, |(_, past)| to_i64(past.fence.0)))
        .bind(column(jobs, |(_, past)| past.pushed_at.as_micros()))
        .bind(column(jobs, |(_, past)| past.run_at.as_micros()))
        .bind(column(jobs, |(_, past)| past.claimed_at.map(Timestamp::as_micros)))
        .bind(column(jobs, |(_, past)| past.waiting as i16));
    let query = query
        .bind(column(jobs, |(job, _)| job.job.unique.as_ref().map(|unique| unique.key.clone())))
        .bind(column(jobs, unique_until))
        .bind(column(jobs, |(_, past)| past.holds_key))
        .bind(column(jobs, |(job, _)| job.payload.to_string()))
        .bind(column(jobs, |(job, _)| job.meta.clone()))
        .bind(column(jobs, |(job, _)| job.on_discard.clone()))
        .bind(column(jobs, |(job, _)| job.job.partition.name().map(str::to_owned)));
    bind_errors(query, jobs, ascii_only)
}

fn bind_errors<'q>(
    query: Query<'q, Postgres, PgArguments>,
    jobs: &Imports,
    ascii_only: bool,
) -> Query<'q, Postgres, PgArguments> {
    let (mut positions, mut fences, mut attempts) = (Vec::<i32>::new(), Vec::new(), Vec::new());
    let (mut times, mut messages) = (Vec::new(), Vec::new());
    for (position, (_, past)) in (1..).zip(jobs) {
        for (index, error) in past.errors.iter().enumerate() {
            positions.push(position);
            fences.push(to_i64(past.fence_of_error(index).0));
            attempts.push(i64::from(error.attempt));
            times.push(error.at.as_micros());
            messages.push(storable_text(&error.message, ascii_only));
        }
    }
    query.bind(positions).bind(fences).bind(attempts).bind(times).bind(messages)
}

/// Returns until when a job holds its key at least.
fn unique_until((job, past): &(Encoded, JobPast)) -> Option<i64> {
    let window = job.job.unique.as_ref()?.window.unwrap_or_default();
    Some(past.pushed_at.saturating_add(window).as_micros())
}

fn column<T>(jobs: &Imports, value: impl Fn(&(Encoded, JobPast)) -> T) -> Vec<T> {
    jobs.iter().map(value).collect()
}
