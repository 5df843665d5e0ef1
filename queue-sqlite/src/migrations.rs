//! The versions of the schema, and the migration to each from the one before. There are no downgrades.
//!
//! The version of a program is that of the newest schema it knows. The schema stores the lowest program version that works
//! with it, so that old and new programs work side by side during a deployment.

use queue_core::backend::SchemaVersion;
use queue_core::{QueueError, QueueErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::TxError;
use crate::location::Location;

/// All migrations in order. The first one has number 1.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_jobs.sql")];

/// The version of this program.
const LATEST: usize = MIGRATIONS.len();

/// The table of the migrations that were applied; an application's own `user_version` is left alone.
const VERSIONS: &str = "create table if not exists queue_schema_migrations (
    -- The migrations that were applied. The greatest `min_program_version` of all rows counts.
    version             integer primary key,    -- the number of the migration
    min_program_version integer                 -- the lowest program version that works with it; null: `version`
) strict";

/// The additive migrations, each with the lowest version of a program that works with the schema after it.
const ADDITIVE: [(i32, i32); 0] = [];

/// Applies the migrations that the file lacks. Several processes may call this at the same time.
///
/// # Errors
///
/// `Unsupported` if the schema is newer than this program and does not work with it.
pub(crate) fn migrate(connection: &mut Connection, location: &Location) -> Result<(), QueueError> {
    let broken = |error| TxError::from(error).to_queue_error(location.path());
    if find(connection).map_err(broken)?.works_with(LATEST) {
        return Ok(());
    }
    // A second process waits here for the lock, and then finds the new schema.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(broken)?;
    let found = find(&transaction).map_err(broken)?;
    if found.works_with(LATEST) {
        return Ok(());
    }
    if found.version >= LATEST {
        let text = format!(
            "`{}` has version {} of the schema and works with programs that know version {} or later, but this program \
             knows only versions up to {LATEST}: update the program",
            location.path().display(),
            found.version,
            found.min_program_version
        );
        return Err(QueueError::new(QueueErrorKind::Unsupported, text));
    }
    apply(&transaction, found.version).map_err(broken)?;
    transaction.commit().map_err(broken)
}

fn apply(transaction: &Transaction<'_>, from: usize) -> rusqlite::Result<()> {
    transaction.execute(VERSIONS, [])?;
    for (number, migration) in (1..).zip(MIGRATIONS).skip(from) {
        transaction.execute_batch(migration)?;
        let insert = "insert into queue_schema_migrations (version, min_program_version) values (?1, ?2)";
        let program = SchemaVersion::min_program_version(number, &ADDITIVE);
        transaction.execute(insert, [number, program])?;
    }
    Ok(())
}

fn find(connection: &Connection) -> rusqlite::Result<SchemaVersion> {
    let exists = "select count(*) from sqlite_schema where name = 'queue_schema_migrations'";
    if connection.query_row(exists, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(SchemaVersion::default());
    }
    let newest = "select coalesce(max(version), 0), coalesce(max(coalesce(min_program_version, version)), 0)
        from queue_schema_migrations";
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    connection.query_row(newest, [], |row| {
        Ok(SchemaVersion { version: number(row.get(0)?), min_program_version: number(row.get(1)?) })
    })
}
