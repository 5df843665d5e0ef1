//! Units of work in SQLite.

use std::path::Path;

use queue_core::{BoxError, JobContext, JobError, Jobs, Services, background_job, jobs};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use rusqlite::Connection;

use super::{draft, receipt};

/// Adds a write to the unit of work, and takes a while.
#[background_job(max_attempts = 1000, backoff = fixed("100ms"), timeout = "10s")]
pub(super) async fn sell(
    #[inject] db: &mut SqliteUnitOfWork,
    #[inject] context: &JobContext,
    millis: u64,
) -> Result<(), JobError> {
    let job = context.id().to_string();
    db.write(move |tx| tx.execute("insert into sold (job) values (?1)", [job]));
    super::close(context, millis).await
}

pub(super) fn jobs() -> Jobs {
    jobs![sell, receipt, draft]
}

pub(super) fn services(queue: &SqliteQueue) -> Result<Services, BoxError> {
    Ok(Services::builder().unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end).build()?)
}

/// Creates the table. It has no key, so a job that wrote twice has two rows.
pub(super) fn prepare(file: &Path) -> Result<(), BoxError> {
    Ok(Connection::open(file)?.execute_batch("create table sold (job text not null)")?)
}

/// Returns the job of each row.
pub(super) fn sold(file: &Path) -> Result<Vec<String>, BoxError> {
    let database = Connection::open(file)?;
    let mut statement = database.prepare("select job from sold")?;
    let rows = statement.query_map((), |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
