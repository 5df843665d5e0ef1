//! The versions of the schema, and the way from each to the next. There is no way back.
//!
//! A program's version is that of the newest schema that it knows. The schema stores the lowest version of a program that
//! still works with it, so that old and new programs work side by side while a new one is deployed.

use queue_core::{QueueError, QueueErrorKind};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};

use crate::error::explained;
use crate::link::unanswered;
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

/// Additive migrations, each with the lowest version of a program that works with the schema after it. Every migration that is
/// not here needs a program of its own version.
const ADDITIVE: [(i32, i32); 0] = [];

/// Which schema there is, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// The version; 0 if there is none.
    version: usize,
    /// The lowest version of a program that works with it.
    min_program_version: usize,
}

impl Found {
    const NONE: Self = Self { version: 0, min_program_version: 0 };

    /// Returns whether a program works with the schema that needs no migration for it.
    const fn suits(self, program: usize) -> bool {
        self.version >= program && self.min_program_version <= program
    }
}

/// Fails unless this program works with the schema.
pub(crate) async fn check(place: &Place) -> Result<(), QueueError> {
    let broken = |error| explained(error, place);
    let mut connection = place.connect().await?;
    let found = tokio::time::timeout(place.timeout, find(&mut connection, place)).await;
    let found = found.map_err(|_| unanswered(place, place.timeout))?.map_err(broken)?;
    let closed = connection.close().await;
    drop(closed);
    if found.suits(LATEST) {
        return Ok(());
    }
    if found.version < LATEST {
        let text = format!(
            "schema `{}` of {place} has version {}, and this program needs {LATEST}: run `PostgresQueue::migrate` \
             with a user who may, or the files of `queue-postgres/migrations`",
            place.schema, found.version
        );
        return Err(QueueError::new(QueueErrorKind::Unsupported, text));
    }
    Err(newer(place, found))
}

/// Brings the schema up to date, once, however many do so at the same time.
pub(crate) async fn migrate(place: &Place) -> Result<(), QueueError> {
    let broken = |error| explained(error, place);
    let mut connection = place.connect().await?;
    let found = find(&mut connection, place).await.map_err(broken)?;
    if found.version >= LATEST && !found.suits(LATEST) {
        return Err(newer(place, found));
    }
    if found.version < LATEST {
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
    let found = find(&mut tx, place).await?.version;
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
        let insert = "insert into schema_migrations (version, min_program_version) values ($1, $2)";
        sqlx::query(insert).bind(number).bind(min_program_version(number)).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Returns the lowest version of a program that works with the schema after this migration.
fn min_program_version(migration: i32) -> i32 {
    let additive = ADDITIVE.iter().find(|(version, _)| *version == migration);
    additive.map_or(migration, |(_, program)| *program)
}

/// Finds the schema. It needs no prepared statement, which a pooler might lose.
async fn find(connection: &mut PgConnection, place: &Place) -> sqlx::Result<Found> {
    let schema = place.schema.replace('\'', "''");
    let exists =
        format!("select 1 from pg_tables where schemaname = '{schema}' and tablename = 'schema_migrations'");
    if raw_sql(AssertSqlSafe(exists)).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(Found::NONE);
    }
    let newest = format!(
        "select coalesce(max(version), 0), coalesce(max(coalesce(min_program_version, version)), 0) from {}.schema_migrations",
        place.quoted_schema()
    );
    let row = raw_sql(AssertSqlSafe(newest)).fetch_one(connection).await?;
    let number = |column: usize| row.try_get(column).map(|number: i32| usize::try_from(number).unwrap_or(0));
    Ok(Found { version: number(0)?, min_program_version: number(1)? })
}

fn newer(place: &Place, found: Found) -> QueueError {
    let text = format!(
        "schema `{}` of {place} has version {} and works with programs that know version {} or later, and this program \
         knows up to {LATEST}: update the program",
        place.schema, found.version, found.min_program_version
    );
    QueueError::new(QueueErrorKind::Unsupported, text)
}
