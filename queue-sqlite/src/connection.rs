//! A connection with the settings that the queue's promises rest on, each read back after it was set.

use std::time::{Duration, Instant};

use queue_core::{QueueError, QueueErrorKind};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::config::Synchronous;
use crate::error::{TxError, is_busy};
use crate::files::Files;
use crate::guard::CHECKPOINT_PAGES;
use crate::location::Location;

/// Opens a connection and makes its settings. Returns it with the files that it has open.
///
/// # Errors
///
/// The file can't be opened, is no database, or can't be set as it must be.
pub(crate) fn open(
    location: &Location,
    synchronous: Synchronous,
    busy_timeout: Duration,
) -> Result<(Connection, Files), QueueError> {
    let connection = connect(location, busy_timeout)
        .map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
    if location.is_file() {
        check_encoding(&connection, location)?;
        let mode = enable_wal(&connection, busy_timeout)
            .map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
        require_setting(location, "journal_mode", &mode, "wal")?;
    }
    let level = synchronous as i64;
    set_pragma(&connection, location, "synchronous", level)?;
    // 4 MiB of pages: the inner ones of the trees of millions of jobs, and not so many that each commit, which may look
    // through all of them, takes long.
    set_pragma(&connection, location, "cache_size", -4_096)?;
    set_pragma(&connection, location, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // Once a checkpoint is through, a log that a burst has made large is cut back to this.
    set_pragma(&connection, location, "journal_size_limit", 64 << 20)?;
    // The files beside the database are made with the first read.
    let read = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get::<_, i64>(0));
    read.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
    Ok((connection, Files::opened_from(location)))
}

fn connect(location: &Location, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = location.connect()?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(64);
    // A plan must not depend on what is bound, else a statement is planned anew whenever that changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Refuses a file whose texts are UTF-16: SQLite converts them, and changes U+FFFE on the way.
fn check_encoding(connection: &Connection, location: &Location) -> Result<(), QueueError> {
    let found = connection.pragma_query_value(None, "encoding", |row| row.get::<_, String>(0));
    let found = found.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
    if found == "UTF-8" {
        return Ok(());
    }
    let text = format!(
        "`{}` stores its texts as {found}, and some characters would be changed: make a new file with `pragma encoding = \
         'UTF-8'` and copy the tables to it, or keep the jobs in a file of their own",
        location.path().display()
    );
    Err(QueueError::new(QueueErrorKind::Unsupported, text))
}

fn set_pragma(
    connection: &Connection,
    location: &Location,
    name: &str,
    value: i64,
) -> Result<(), QueueError> {
    let broken = |error| TxError::from(error).to_queue_error(location.path());
    connection.pragma_update(None, name, value).map_err(broken)?;
    let found: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).map_err(broken)?;
    // A database in memory has no log to limit.
    if location.is_file() {
        require_setting(location, name, &found.to_string(), &value.to_string())
    } else {
        Ok(())
    }
}

/// Has commits go to a log first, and gives the mode that the file is in then.
///
/// SQLite doesn't wait for a lock here, and whoever opens a new file at the same time holds one for a moment.
fn enable_wal(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<String> {
    let began = Instant::now();
    loop {
        match connection.query_row("pragma journal_mode = wal", [], |row| row.get(0)) {
            Err(error) if is_busy(&error) && began.elapsed() < busy_timeout => std::thread::yield_now(),
            answer => return answer,
        }
    }
}

fn require_setting(location: &Location, name: &str, found: &str, wanted: &str) -> Result<(), QueueError> {
    if found == wanted {
        return Ok(());
    }
    let text = format!(
        "`{}` can't be used: its `{name}` was set to {wanted} and is {found}; a queue needs a local disk",
        location.path().display()
    );
    Err(QueueError::new(QueueErrorKind::Unsupported, text))
}
