//! The versions of the schema, and the migrations from each version to the next. No migration can be undone.
//!
//! A program's version is that of the newest schema that it knows. The schema stores the lowest version of a program that
//! still works with it, so that programs of different versions can share a schema during a rolling deploy.
//!
//! A migration runs in one transaction: first the numbered files whose versions the schema lacks, then all functions and
//! the view, in the text that this program has. `create or replace` keeps their grants, and programs that run already keep
//! calling them. The first comment of `migrations/0001_tables.sql` has the rules for new versions.

use queue_core::backend::SchemaVersion;
use queue_core::{QueueError, QueueErrorKind};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};

use crate::connect::connect;
use crate::error::{timed_out, to_queue_error};
use crate::target::Target;

/// The numbered migrations in order, from version 1. A released one never changes.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_tables.sql")];

/// The functions and the view, which every migration replaces by this text.
const FUNCTIONS: [&str; 9] = [
    include_str!("../functions/time.sql"),
    include_str!("../functions/expire.sql"),
    include_str!("../functions/push.sql"),
    include_str!("../functions/claim.sql"),
    include_str!("../functions/renew.sql"),
    include_str!("../functions/settle.sql"),
    include_str!("../functions/admin.sql"),
    include_str!("../functions/prune.sql"),
    include_str!("../functions/overview.sql"),
];

/// The version of this program.
const LATEST: usize = MIGRATIONS.len();

/// The additive migrations, each with the lowest version of a program that works with the schema after it.
const ADDITIVE: [(i32, i32); 0] = [];

/// Fails unless this program works with the schema.
pub(crate) async fn check(target: &Target) -> Result<(), QueueError> {
    let to_error = |error| to_queue_error(error, target);
    let mut connection = connect(target).await?;
    let found = tokio::time::timeout(target.timeout, read_version(&mut connection, target)).await;
    let found = found.map_err(|_| timed_out(target, target.timeout))?.map_err(to_error)?;
    let closed = connection.close().await;
    drop(closed);
    if found.works_with(LATEST) {
        return Ok(());
    }
    if found.version < LATEST {
        let text = format!(
            "schema `{}` of {target} has version {}, and this program needs {LATEST}: run `PostgresQueueBuilder::migrate` \
             as a user with the right to, or the files of `queue-postgres/migrations` and `queue-postgres/functions`",
            target.schema, found.version
        );
        return Err(QueueError::new(QueueErrorKind::Unsupported, text));
    }
    Err(newer(target, found))
}

/// Migrates the schema to this program's version. Concurrent calls run each migration once.
pub(crate) async fn migrate(target: &Target) -> Result<(), QueueError> {
    let to_error = |error| to_queue_error(error, target);
    let mut connection = connect(target).await?;
    let found = read_version(&mut connection, target).await.map_err(to_error)?;
    if found.version >= LATEST && !found.works_with(LATEST) {
        return Err(newer(target, found));
    }
    if found.version < LATEST {
        apply(&mut connection, target).await.map_err(to_error)?;
    }
    connection.close().await.map_err(to_error)
}

async fn apply(connection: &mut PgConnection, target: &Target) -> sqlx::Result<()> {
    let schema = target.quoted_schema();
    let mut tx = connection.begin().await?;
    // A second program waits here until the first has committed, and then finds the schema migrated.
    let lock = "select pg_advisory_xact_lock(hashtextextended('queue_postgres:' || $1, 0))";
    sqlx::query(lock).bind(&*target.schema).execute(&mut *tx).await?;
    let found = read_version(&mut tx, target).await?.version;
    if found >= LATEST {
        // The other program may be newer, so its functions stay.
        return tx.rollback().await;
    }
    if found == 0 {
        // An administrator may have created the empty schema for a user without the right to do so.
        let exists = "select 1 from pg_namespace where nspname = $1";
        if sqlx::query(exists).bind(&*target.schema).fetch_optional(&mut *tx).await?.is_none() {
            raw_sql(AssertSqlSafe(format!("create schema {schema}"))).execute(&mut *tx).await?;
        }
    }
    // Each function keeps this search path and ignores that of its caller.
    let path = format!("set local search_path to {schema}, pg_temp");
    raw_sql(AssertSqlSafe(path)).execute(&mut *tx).await?;
    for migration in MIGRATIONS.into_iter().skip(found).chain(FUNCTIONS) {
        raw_sql(migration).execute(&mut *tx).await?;
    }
    for (number, _) in (1_i32..).zip(MIGRATIONS).skip(found) {
        let insert = "insert into schema_migrations (version, min_program_version) values ($1, $2)";
        let program = SchemaVersion::min_program_version(number, &ADDITIVE);
        sqlx::query(insert).bind(number).bind(program).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Reads the schema's version. Uses no prepared statement, because a pooler may lose one.
async fn read_version(connection: &mut PgConnection, target: &Target) -> sqlx::Result<SchemaVersion> {
    let schema = target.schema.replace('\'', "''");
    let exists =
        format!("select 1 from pg_tables where schemaname = '{schema}' and tablename = 'schema_migrations'");
    if raw_sql(AssertSqlSafe(exists)).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(SchemaVersion::default());
    }
    let newest = format!(
        "select coalesce(max(version), 0), coalesce(max(coalesce(min_program_version, version)), 0) \
         from {}.schema_migrations",
        target.quoted_schema()
    );
    let row = raw_sql(AssertSqlSafe(newest)).fetch_one(connection).await?;
    let number = |column: usize| row.try_get(column).map(|number: i32| usize::try_from(number).unwrap_or(0));
    Ok(SchemaVersion { version: number(0)?, min_program_version: number(1)? })
}

fn newer(target: &Target, found: SchemaVersion) -> QueueError {
    let text = format!(
        "schema `{}` of {target} has version {} and works with programs that know version {} or later, and this program \
         knows up to {LATEST}: update the program",
        target.schema, found.version, found.min_program_version
    );
    QueueError::new(QueueErrorKind::Unsupported, text)
}
