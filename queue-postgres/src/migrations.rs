//! The versions of the schema, and the way from each to the next. There is no way back.

use queue_core::{QueueError, QueueErrorKind};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};

use crate::error::explained;
use crate::place::Place;

/// Every migration, the first one first; its number is its place, from 1.
const MIGRATIONS: [&str; 6] = [
    include_str!("../migrations/0001_tables.sql"),
    include_str!("../migrations/0002_time.sql"),
    include_str!("../migrations/0003_push.sql"),
    include_str!("../migrations/0004_settle.sql"),
    include_str!("../migrations/0005_claim.sql"),
    include_str!("../migrations/0006_operate.sql"),
];

/// The version that this program works with.
const LATEST: usize = MIGRATIONS.len();

/// Fails unless the schema is the one that this program works with.
pub(crate) async fn check(place: &Place) -> Result<(), QueueError> {
    let broken = |error| explained(error, place);
    let mut connection = place.connect().await?;
    let found = version(&mut connection, place).await.map_err(broken)?;
    let closed = connection.close().await;
    drop(closed);
    if found == LATEST {
        return Ok(());
    }
    if found < LATEST {
        let text = format!(
            "schema `{}` of {place} has version {found}, and this program needs {LATEST}: run `PostgresQueue::migrate` \
             with a user who may, or the files of `queue-postgres/migrations`",
            place.schema
        );
        return Err(QueueError::new(QueueErrorKind::Unsupported, text));
    }
    Err(newer(place, found))
}

/// Brings the schema up to date, once, however many do so at the same time.
pub(crate) async fn migrate(place: &Place) -> Result<(), QueueError> {
    let broken = |error| explained(error, place);
    let mut connection = place.connect().await?;
    let found = version(&mut connection, place).await.map_err(broken)?;
    if found > LATEST {
        return Err(newer(place, found));
    }
    if found < LATEST {
        apply(&mut connection, place).await.map_err(broken)?;
    }
    connection.close().await.map_err(broken)
}

async fn apply(connection: &mut PgConnection, place: &Place) -> sqlx::Result<()> {
    let schema = place.quoted_schema();
    let mut tx = connection.begin().await?;
    // Whoever comes second waits here, and then finds that it's done.
    let lock = "select pg_advisory_xact_lock(hashtextextended('queue_postgres:' || $1, 0))";
    sqlx::query(lock).bind(&*place.schema).execute(&mut *tx).await?;
    let found = version(&mut tx, place).await?;
    if found == 0 {
        // It may have been made by somebody with the right to do so.
        let exists = "select 1 from pg_namespace where nspname = $1";
        if sqlx::query(exists).bind(&*place.schema).fetch_optional(&mut *tx).await?.is_none() {
            raw_sql(AssertSqlSafe(format!("create schema {schema}"))).execute(&mut *tx).await?;
        }
    }
    // The functions keep this path, whoever calls them.
    let path = format!("set local search_path to {schema}, pg_temp");
    raw_sql(AssertSqlSafe(path)).execute(&mut *tx).await?;
    for (number, migration) in (1_i32..).zip(MIGRATIONS).skip(found) {
        raw_sql(migration).execute(&mut *tx).await?;
        sqlx::query("insert into versions (version) values ($1)").bind(number).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Tells which version there is; 0 where there is none. It needs no prepared statement, which a pooler might lose.
async fn version(connection: &mut PgConnection, place: &Place) -> sqlx::Result<usize> {
    let schema = place.schema.replace('\'', "''");
    let exists = format!("select 1 from pg_tables where schemaname = '{schema}' and tablename = 'versions'");
    if raw_sql(AssertSqlSafe(exists)).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(0);
    }
    let newest = format!("select coalesce(max(version), 0) from {}.versions", place.quoted_schema());
    let version: i32 = raw_sql(AssertSqlSafe(newest)).fetch_one(connection).await?.try_get(0)?;
    Ok(usize::try_from(version).unwrap_or(0))
}

fn newer(place: &Place, found: usize) -> QueueError {
    let text = format!(
        "schema `{}` of {place} has version {found}, and this program knows up to {LATEST}: update the program",
        place.schema
    );
    QueueError::new(QueueErrorKind::Unsupported, text)
}
