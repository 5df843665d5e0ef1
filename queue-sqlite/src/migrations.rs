//! The versions of the schema, and the migration to each from the one before. There are no downgrades.
//!
//! The version of a program is that of the newest schema it knows. The schema stores the lowest program version that works
//! with it, so that old and new programs work side by side during a deployment.

use queue_core::QueueError;
use queue_core::backend::{Migration, Migrations, SchemaStatus, SchemaVersion};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::TxError;
use crate::location::Location;

/// All migrations in order. The first one has number 1.
const MIGRATIONS: Migrations = Migrations::new(&[include_str!("../migrations/0001_jobs.sql")]);

/// The table of the migrations that were applied; an application's own `user_version` is left alone.
const VERSIONS: &str = "create table if not exists queue_schema_migrations (
    -- The migrations that were applied. The greatest `min_program_version` of all rows counts.
    version             integer primary key,    -- the number of the migration
    min_program_version integer                 -- the lowest program version that works with it; null: `version`
) strict";

/// Applies the migrations that the file lacks. Several processes may call this at the same time.
///
/// # Errors
///
/// `Unsupported` if the schema is newer than this program and does not work with it.
pub(crate) fn migrate(connection: &mut Connection, location: &Location) -> Result<(), QueueError> {
    let broken = |error| TxError::from(error).to_queue_error(location.path());
    if missing(connection, location)?.is_empty() {
        return Ok(());
    }
    // A second process waits here for the lock, and then finds the new schema.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(broken)?;
    let missing = missing(&transaction, location)?;
    if missing.is_empty() {
        return Ok(());
    }
    apply(&transaction, &missing).map_err(broken)?;
    transaction.commit().map_err(broken)
}

/// Creates the schema of this program in an empty database.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    apply(&transaction, &MIGRATIONS.after(0))?;
    transaction.commit()
}

/// Returns whether a newer program has migrated the schema.
pub(crate) fn is_newer(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(read_version(connection)?.version > MIGRATIONS.latest())
}

/// Fails unless this program works with the schema in the file. Writes nothing.
///
/// # Errors
///
/// `Unsupported` if a migration is missing, or if the schema is newer than this program.
pub(crate) fn check(location: &Location) -> Result<(), QueueError> {
    let status = status(location)?;
    if status.is_current() {
        return Ok(());
    }
    let path = location.path().display();
    let what = match status.found.version {
        0 => format!("`{path}` has no queue in it"),
        version => {
            format!("the schema of `{path}` has version {version}, and this program needs {}", status.latest)
        }
    };
    Err(QueueError::unsupported(format!(
        "{what}: open it once with `run_migrations(true)`, or run the files of `queue-sqlite/migrations`"
    )))
}

/// Reads the version of the schema. Writes nothing. The version of a file that does not exist is 0.
///
/// # Errors
///
/// `Unsupported` if the schema is newer than this program and does not work with it.
pub(crate) fn status(location: &Location) -> Result<SchemaStatus, QueueError> {
    if location.is_file() && !location.path().exists() {
        return Ok(SchemaStatus::new(SchemaVersion::default(), MIGRATIONS, script(&MIGRATIONS.after(0))));
    }
    let broken = |error| TxError::from(error).to_queue_error(location.path());
    let connection = location.connect().map_err(broken)?;
    let missing = missing(&connection, location)?;
    let found = read_version(&connection).map_err(broken)?;
    Ok(SchemaStatus::new(found, MIGRATIONS, script(&missing)))
}

/// Returns the statements of migrations as one script.
fn script(missing: &[Migration]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let mut script = format!("begin immediate;\n{VERSIONS};\n");
    for Migration { version, min_program_version, sql } in missing {
        script.push_str(sql);
        script.push_str(&format!(
            "\ninsert into queue_schema_migrations (version, min_program_version) values ({version}, {min_program_version});\n"
        ));
    }
    script.push_str("commit;\n");
    script
}

fn missing(connection: &Connection, location: &Location) -> Result<Vec<Migration>, QueueError> {
    let path = location.path();
    let found = read_version(connection).map_err(|error| TxError::from(error).to_queue_error(path))?;
    MIGRATIONS.missing(found, format_args!("the schema of `{}`", path.display()))
}

fn apply(transaction: &Transaction<'_>, missing: &[Migration]) -> rusqlite::Result<()> {
    transaction.execute(VERSIONS, [])?;
    for migration in missing {
        transaction.execute_batch(migration.sql)?;
        let insert = "insert into queue_schema_migrations (version, min_program_version) values (?1, ?2)";
        transaction.execute(insert, [migration.version, migration.min_program_version])?;
    }
    Ok(())
}

fn read_version(connection: &Connection) -> rusqlite::Result<SchemaVersion> {
    let exists = "select count(*) from sqlite_schema where name = 'queue_schema_migrations'";
    if connection.query_row(exists, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(SchemaVersion::default());
    }
    let mut recorded =
        connection.prepare("select version, min_program_version from queue_schema_migrations")?;
    recorded.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
