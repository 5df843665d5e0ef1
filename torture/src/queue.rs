//! The queue under torture: the one place that names it.

use std::path::Path;
use std::sync::Arc;

use queue_core::{Inspect, QueueError};
use queue_sqlite::SqliteQueue;

/// Opens it as an application does.
pub(crate) async fn open(file: &Path) -> Result<Arc<dyn Inspect>, QueueError> {
    Ok(Arc::new(SqliteQueue::open(file).await?))
}

/// Asks SQLite itself whether the file is whole; what it finds is the error.
pub(crate) fn check_integrity(file: &Path) -> Result<(), String> {
    let found = rusqlite::Connection::open(file).and_then(|database| {
        let mut statement = database.prepare("pragma integrity_check")?;
        let rows = statement.query_map((), |row| row.get::<_, String>(0))?;
        rows.collect::<Result<Vec<_>, _>>()
    });
    match found {
        Ok(lines) if lines == ["ok"] => Ok(()),
        Ok(lines) => Err(format!("SQLite finds the file broken: {}", lines.join("; "))),
        Err(error) => Err(format!("SQLite can't check the file: {error}")),
    }
}
