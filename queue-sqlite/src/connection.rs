//! Connections, with the settings that the queue depends on. Each setting is read back after it was set.

use std::time::{Duration, Instant};

use queue_core::{QueueError, QueueErrorKind};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::error::{TxError, is_busy};
use crate::files::Files;
use crate::location::Location;
use crate::settings::Synchronous;
use crate::sql_authorizer::CHECKPOINT_PAGES;

/// Opens a connection and sets it up. Returns it with the files that it has open.
///
/// # Errors
///
/// `Corrupt` if the file is not a database, `Unsupported` if a setting does not take effect, `Unavailable` if the file
/// can't be opened now.
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
    // 4 MiB of pages: enough for the inner B-tree pages of millions of jobs, and few enough for a commit, which may walk
    // through all of them.
    set_pragma(&connection, location, "cache_size", -4_096)?;
    set_pragma(&connection, location, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // A burst can make the log large. After a checkpoint, SQLite truncates it to this size.
    set_pragma(&connection, location, "journal_size_limit", 64 << 20)?;
    // The first read creates the files beside the database.
    let read = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get::<_, i64>(0));
    read.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
    Ok((connection, Files::opened_from(location)))
}

fn connect(location: &Location, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = location.connect()?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans must not depend on bound values: otherwise SQLite plans a statement again when a value changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Fails if the file stores text as UTF-16: SQLite would convert it, and the conversion changes U+FFFE.
fn check_encoding(connection: &Connection, location: &Location) -> Result<(), QueueError> {
    let found = connection.pragma_query_value(None, "encoding", |row| row.get::<_, String>(0));
    let found = found.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
    if found == "UTF-8" {
        return Ok(());
    }
    let text = format!(
        "`{}` stores its text as {found}, which would change some characters: create a file with `pragma encoding = \
         'UTF-8'` and copy the tables to it, or keep the jobs in a separate file",
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
    // In memory there is no log, so its settings do not take effect.
    if location.is_file() {
        require_setting(location, name, &found.to_string(), &value.to_string())
    } else {
        Ok(())
    }
}

/// Sets the journal mode to WAL. Returns the mode that the file has afterwards.
///
/// SQLite's busy timeout does not apply here, and another process that opens a new file at the same time holds its lock
/// briefly. So this function retries while the file is locked.
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
        "`{}` can't be used: its `{name}` was set to {wanted} and is still {found}; a queue needs a local disk",
        location.path().display()
    );
    Err(QueueError::new(QueueErrorKind::Unsupported, text))
}
