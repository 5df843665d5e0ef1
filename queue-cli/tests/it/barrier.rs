//! A place in a store at which a writer stops for ever, so that a test can kill it there.

use std::time::Duration;

use queue_core::{BoxError, JobId};
use queue_postgres::sqlx::{AssertSqlSafe, PgPool, query_scalar, raw_sql};
use queue_sqlite::rusqlite::{Connection, ErrorCode};

use crate::store::{Place, SCHEMA, Store, TestResult};

/// The step of the writer at which it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Import,
    Deletion,
}

/// A trigger that does not return.
pub(crate) struct Barrier {
    place: Place,
}

/// A writer that keeps the lock for this time is in the trigger: nothing else takes that long.
const LONG: Duration = Duration::from_millis(500);

impl Barrier {
    /// Creates the trigger for a job.
    pub(crate) async fn raise(store: &Store, step: Step, job: JobId) -> Result<Self, BoxError> {
        let (event, row) = if step == Step::Import { ("insert", "new") } else { ("delete", "old") };
        let place = store.place();
        match &place {
            Place::File(path) => Connection::open(path)?.execute_batch(&format!(
                "create view barrier as
                    with recursive numbers (n) as (select 1 union all select n + 1 from numbers) select n from numbers;
                create trigger stop before {event} on queue_jobs when {row}.id = x'{:032x}' begin
                    select count(*) from barrier;
                end",
                job.as_u128()
            ))?,
            Place::Database(pool) => {
                execute(
                    pool,
                    format!(
                        "create function {SCHEMA}.barrier() returns trigger language plpgsql as $$ begin
                            perform pg_sleep(1e6);
                            return new;
                        end $$;
                        create trigger stop before {event} on {SCHEMA}.jobs for each row when ({row}.id = '{job}')
                            execute function {SCHEMA}.barrier()"
                    ),
                )
                .await?;
            }
        }
        Ok(Self { place })
    }

    /// Waits until a writer has stopped at the barrier.
    pub(crate) async fn wait_until_held(&self) -> TestResult {
        match &self.place {
            Place::File(path) => {
                let file = Connection::open(path)?;
                file.busy_timeout(LONG)?;
                while !is_busy(&file)? {}
            }
            Place::Database(pool) => while sleeping(pool).await? == 0 {},
        }
        Ok(())
    }

    /// Drops the trigger, after the end of the sessions that have stopped at it: their server does not notice that the client has
    /// died.
    pub(crate) async fn remove(self) -> TestResult {
        match &self.place {
            Place::File(path) => {
                let file = Connection::open(path)?;
                file.busy_timeout(Duration::from_secs(60))?;
                file.execute_batch("drop trigger stop; drop view barrier")?;
            }
            Place::Database(pool) => {
                execute(
                    pool,
                    "select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and wait_event = 'PgSleep'"
                        .to_owned(),
                )
                .await?;
                while sleeping(pool).await? > 0 {}
                execute(pool, format!("drop function {SCHEMA}.barrier() cascade")).await?;
            }
        }
        Ok(())
    }
}

/// Returns whether another writer has the lock of the file for long.
fn is_busy(file: &Connection) -> Result<bool, BoxError> {
    match file.execute_batch("begin immediate; rollback") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(true),
        taken => Ok(taken.map(|()| false)?),
    }
}

async fn sleeping(pool: &PgPool) -> Result<i64, BoxError> {
    let sleeping =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    Ok(query_scalar(sleeping).fetch_one(pool).await?)
}

async fn execute(pool: &PgPool, sql: String) -> TestResult {
    raw_sql(AssertSqlSafe(sql)).execute(pool).await?;
    Ok(())
}
