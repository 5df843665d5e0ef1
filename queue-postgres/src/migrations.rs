//! The versions of the schema, and the migrations from each version to the next. No migration can be undone.
//!
//! A program's version is that of the newest schema that it knows. The schema stores the lowest version of a program that
//! still works with it, so that programs of different versions can share a schema during a rolling deploy.
//!
//! A migration runs in one transaction: first the numbered files whose versions the schema lacks, then all functions and
//! the view, in the text that this program has. `create or replace` keeps their grants, and programs that run already keep
//! calling them. The first comment of `migrations/0001_tables.sql` has the rules for new versions.

use queue_core::QueueError;
use queue_core::backend::{Migration, Migrations, SchemaStatus, SchemaVersion};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};

use crate::connect::connect;
use crate::error::{timed_out, to_queue_error};
use crate::target::Target;

/// The numbered migrations in order, from version 1. A released one never changes.
const MIGRATIONS: Migrations = Migrations::new(&[include_str!("../migrations/0001_tables.sql")]);

/// The functions and the view, which every migration replaces by this text.
const FUNCTIONS: [&str; 23] = [
    include_str!("../functions/time.sql"),
    include_str!("../functions/workers.sql"),
    include_str!("../functions/partitions.sql"),
    include_str!("../functions/history.sql"),
    include_str!("../functions/discard.sql"),
    include_str!("../functions/expire.sql"),
    include_str!("../functions/push.sql"),
    include_str!("../functions/enqueue.sql"),
    include_str!("../functions/rates.sql"),
    include_str!("../functions/shares.sql"),
    include_str!("../functions/deal.sql"),
    include_str!("../functions/take.sql"),
    include_str!("../functions/claim.sql"),
    include_str!("../functions/renew.sql"),
    include_str!("../functions/settle.sql"),
    include_str!("../functions/admin.sql"),
    include_str!("../functions/limits.sql"),
    include_str!("../functions/ended.sql"),
    include_str!("../functions/bulk.sql"),
    include_str!("../functions/import.sql"),
    include_str!("../functions/prune.sql"),
    include_str!("../functions/summary.sql"),
    include_str!("../functions/overview.sql"),
];

/// Fails unless this program works with the schema.
pub(crate) async fn check(connection: &mut PgConnection, target: &Target) -> Result<(), QueueError> {
    let to_error = |error| to_queue_error(error, target);
    let found = tokio::time::timeout(target.timeout, read_version(connection, target)).await;
    let found = found.map_err(|_| timed_out(target, target.timeout))?.map_err(to_error)?;
    if missing(target, found)?.is_empty() {
        return Ok(());
    }
    Err(QueueError::unsupported(format!(
        "schema `{}` of {target} has version {}, and this program needs {}: run `PostgresQueueBuilder::migrate` as a user \
         with the right to, or the files of `queue-postgres/migrations` and `queue-postgres/functions`",
        target.schema,
        found.version,
        MIGRATIONS.latest()
    )))
}

/// Migrates the schema to this program's version. Concurrent calls run each migration once.
pub(crate) async fn migrate(connection: &mut PgConnection, target: &Target) -> Result<(), QueueError> {
    let to_error = |error| to_queue_error(error, target);
    let found = read_version(connection, target).await.map_err(to_error)?;
    if !missing(target, found)?.is_empty() {
        apply(connection, target).await.map_err(to_error)?;
    }
    Ok(())
}

/// Migrates the schema over a connection that is closed again.
pub(crate) async fn migrate_alone(target: &Target) -> Result<(), QueueError> {
    let mut connection = connect(target).await?;
    migrate(&mut connection, target).await?;
    connection.close().await.map_err(|error| to_queue_error(error, target))
}

/// Reads the version of the schema over a connection that is closed again.
pub(crate) async fn status(target: &Target) -> Result<SchemaStatus, QueueError> {
    let to_error = |error| to_queue_error(error, target);
    let mut connection = connect(target).await?;
    let found = tokio::time::timeout(target.timeout, read_version(&mut connection, target)).await;
    let found = found.map_err(|_| timed_out(target, target.timeout))?.map_err(to_error)?;
    connection.close().await.map_err(to_error)?;
    let missing = missing(target, found)?;
    Ok(SchemaStatus::new(found, MIGRATIONS, script(&missing, found.version == 0, target)))
}

/// Returns the statements of [`apply`] as one script.
fn script(missing: &[Migration], is_new: bool, target: &Target) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let schema = target.quoted_schema();
    let create = if is_new { format!("create schema if not exists {schema};\n") } else { String::new() };
    let mut script = format!("begin;\n{create}set local search_path to {schema}, pg_temp;\n");
    for sql in missing.iter().map(|migration| migration.sql).chain(FUNCTIONS) {
        script.push_str(sql);
        script.push('\n');
    }
    for Migration { version, min_program_version, .. } in missing {
        script.push_str(&format!(
            "insert into schema_migrations (version, min_program_version) values ({version}, {min_program_version});\n"
        ));
    }
    script.push_str("commit;\n");
    script
}

fn missing(target: &Target, found: SchemaVersion) -> Result<Vec<Migration>, QueueError> {
    MIGRATIONS.missing(found, format_args!("schema `{}` of {target}", target.schema))
}

/// Returns whether a newer program has migrated the schema.
pub(crate) async fn is_newer(connection: &mut PgConnection, target: &Target) -> sqlx::Result<bool> {
    Ok(read_version(connection, target).await?.version > MIGRATIONS.latest())
}

/// Creates the tables and functions of this program in the first schema of the search path.
pub(crate) async fn create(connection: &mut PgConnection) -> sqlx::Result<()> {
    for sql in MIGRATIONS.after(0).iter().map(|migration| migration.sql).chain(FUNCTIONS) {
        raw_sql(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn apply(connection: &mut PgConnection, target: &Target) -> sqlx::Result<()> {
    let schema = target.quoted_schema();
    let mut tx = connection.begin().await?;
    // A second program waits here until the first has committed, and then finds the schema migrated.
    let lock = "select pg_advisory_xact_lock(hashtextextended('queue_postgres:' || $1, 0))";
    sqlx::query(lock).bind(&*target.schema).execute(&mut *tx).await?;
    let found = read_version(&mut tx, target).await?.version;
    let missing = MIGRATIONS.after(found);
    if missing.is_empty() {
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
    for sql in missing.iter().map(|migration| migration.sql).chain(FUNCTIONS) {
        raw_sql(sql).execute(&mut *tx).await?;
    }
    for Migration { version, min_program_version, .. } in missing {
        let insert = "insert into schema_migrations (version, min_program_version) values ($1, $2)";
        sqlx::query(insert).bind(version).bind(min_program_version).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Reads the schema's version. Uses no prepared statement, because a pooler may lose one.
async fn read_version(connection: &mut PgConnection, target: &Target) -> sqlx::Result<SchemaVersion> {
    let schema = target.schema.replace('\'', "''");
    let exists = format!(
        "select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace \
            where n.nspname = '{schema}' and c.relname = 'schema_migrations' and c.relkind in ('r', 'p')"
    );
    if raw_sql(AssertSqlSafe(exists)).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(SchemaVersion::default());
    }
    let recorded =
        format!("select version, min_program_version from {}.schema_migrations", target.quoted_schema());
    let recorded = raw_sql(AssertSqlSafe(recorded)).fetch_all(connection).await?;
    let row = |row: &PgRow| -> sqlx::Result<(i64, Option<i64>)> {
        let (version, min_program_version): (i32, Option<i32>) = (row.try_get(0)?, row.try_get(1)?);
        Ok((version.into(), min_program_version.map(i64::from)))
    };
    recorded.iter().map(row).collect()
}
