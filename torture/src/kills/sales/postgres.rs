//! Units of work in PostgreSQL.

use queue_core::{BoxError, JobContext, JobError, Jobs, Services, background_job, jobs};
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};

use super::{draft, receipt};

/// Writes a row, and keeps its transaction open for a while.
#[background_job(max_attempts = 1000, backoff = fixed("100ms"), timeout = "10s")]
pub(super) async fn sell(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    millis: u64,
) -> Result<(), JobError> {
    let row = sqlx::query("insert into sold (job) values ($1)").bind(context.id().as_uuid());
    row.execute(&mut **tx).await?;
    super::close(context, millis).await
}

pub(super) fn jobs() -> Jobs {
    jobs![sell, receipt, draft]
}

pub(super) fn services(queue: &PostgresQueue) -> Result<Services, BoxError> {
    Ok(Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end).build()?)
}

/// Creates the table. It has no key, so a job that wrote twice has two rows.
pub(super) async fn prepare(url: &str) -> Result<(), BoxError> {
    let mut database = PgConnection::connect(url).await?;
    sqlx::raw_sql("create table sold (job uuid not null)").execute(&mut database).await?;
    Ok(())
}

/// Returns the job of each row.
pub(super) async fn sold(url: &str) -> Result<Vec<String>, BoxError> {
    let mut database = PgConnection::connect(url).await?;
    Ok(sqlx::query_scalar("select job::text from sold").fetch_all(&mut database).await?)
}
