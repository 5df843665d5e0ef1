//! The table of a clock for tests: the schema's function `clock` reads the time from its one row.

use queue_core::{QueueError, Timestamp};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};

use crate::error::to_queue_error;
use crate::target::Target;

/// Replaces the clock of the schema with one that starts at `start` and that only tests move. If the schema already has such a
/// clock, the clock keeps its time.
///
/// # Errors
///
/// `Invalid` if the schema holds jobs by the server's clock.
pub(crate) async fn install(
    connection: &mut PgConnection,
    target: &Target,
    start: Timestamp,
) -> Result<(), QueueError> {
    let to_error = |error| to_queue_error(error, target);
    if is_installed(connection, target).await.map_err(to_error)?
        || install_on(connection, target, start).await.map_err(to_error)?
    {
        return Ok(());
    }
    Err(QueueError::invalid(format!(
        "schema `{}` of {target} holds jobs by the server's clock, which a test must not move: open a schema of the \
         test's own",
        target.schema
    )))
}

/// Returns the body of a `clock()` that reads the table.
fn body(schema: &str) -> String {
    format!(" select now from {schema}.test_clock ")
}

/// Returns the statement by which the schema's `clock()` reads the table.
fn read_table(schema: &str) -> String {
    let body = body(schema);
    format!("create or replace function {schema}.clock() returns bigint language sql volatile as $${body}$$")
}

/// Returns whether the schema's `clock()` reads the table. If the function were replaced each time, every session would have to plan
/// the statements that call it again.
async fn is_installed(connection: &mut PgConnection, target: &Target) -> sqlx::Result<bool> {
    let quote = |text: &str| text.replace('\'', "''");
    let found = format!(
        "select exists (select from pg_namespace n
            join pg_class c on c.relnamespace = n.oid and c.relname = 'test_clock'
            join pg_proc p on p.pronamespace = n.oid and p.proname = 'clock' and p.prosrc = '{}'
        where n.nspname = '{}')",
        quote(&body(&target.quoted_schema())),
        quote(&target.schema)
    );
    raw_sql(AssertSqlSafe(found)).fetch_one(connection).await?.try_get(0)
}

/// Returns whether the schema has a clock for tests now.
async fn install_on(connection: &mut PgConnection, target: &Target, start: Timestamp) -> sqlx::Result<bool> {
    let (schema, start) = (target.quoted_schema(), start.as_micros());
    let mut tx = connection.begin().await?;
    // The lock of the migrations, so that handles that are opened concurrently install one clock.
    let lock = "select pg_advisory_xact_lock(hashtextextended('queue_postgres:' || $1, 0))";
    sqlx::query(lock).persistent(false).bind(&*target.schema).execute(&mut *tx).await?;
    let exists = "select exists (select from pg_tables where schemaname = $1 and tablename = 'test_clock')";
    if sqlx::query_scalar(exists).persistent(false).bind(&*target.schema).fetch_one(&mut *tx).await? {
        // A migration since then has replaced the function.
        raw_sql(AssertSqlSafe(read_table(&schema))).execute(&mut *tx).await?;
        tx.commit().await?;
        return Ok(true);
    }
    let jobs = format!("select exists (select from {schema}.jobs)");
    if sqlx::query_scalar(AssertSqlSafe(jobs)).persistent(false).fetch_one(&mut *tx).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    let install = format!(
        "create table {schema}.test_clock (now bigint not null);
        comment on table {schema}.test_clock is 'One row: the time that clock() returns, until a test moves it.';
        insert into {schema}.test_clock values ({start});
        {}",
        read_table(&schema)
    );
    raw_sql(AssertSqlSafe(install)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}
