//! The versions of the schema, and the way from each to the next. There is no way back.

use queue_core::{QueueError, QueueErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::Broken;
use crate::place::Place;

/// Every migration, the first one first; its number is its place, from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_jobs.sql")];

/// The version that this program works with.
const LATEST: usize = MIGRATIONS.len();

/// Where the version is kept; an application's own `user_version` is left alone.
const VERSIONS: &str = "create table if not exists queue_schema (version integer primary key) strict";

/// Brings the schema up to date, once, however many do so at the same time.
///
/// # Errors
///
/// `Unsupported` for a schema that is newer than this program.
pub(crate) fn migrate(connection: &mut Connection, place: &Place) -> Result<(), QueueError> {
    let broken = |error| Broken::from(error).told(place.path());
    if version(connection).map_err(broken)? == LATEST {
        return Ok(());
    }
    // Whoever comes second waits here, and then finds that it's done.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(broken)?;
    let found = version(&transaction).map_err(broken)?;
    if found > LATEST {
        let text = format!(
            "`{}` has version {found} of the schema, and this program knows up to {LATEST}: update the program",
            place.path().display()
        );
        return Err(QueueError::new(QueueErrorKind::Unsupported, text));
    }
    apply(&transaction, found).map_err(broken)?;
    transaction.commit().map_err(broken)
}

fn apply(transaction: &Transaction<'_>, from: usize) -> rusqlite::Result<()> {
    transaction.execute(VERSIONS, [])?;
    for (number, migration) in (1..).zip(MIGRATIONS).skip(from) {
        transaction.execute_batch(migration)?;
        transaction.execute("insert into queue_schema (version) values (?1)", [number])?;
    }
    Ok(())
}

/// Tells which version there is; 0 where there is none.
fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let exists = "select count(*) from sqlite_schema where name = 'queue_schema'";
    if connection.query_row(exists, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    let newest = "select coalesce(max(version), 0) from queue_schema";
    let version: i64 = connection.query_row(newest, [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(0))
}
