//! The queue under torture: the one place that names it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{Inspect, QueueError};
use queue_sqlite::SqliteQueue;

/// Opens it as an application does.
pub(crate) async fn open(file: &Path) -> Result<Arc<dyn Inspect>, QueueError> {
    Ok(Arc::new(SqliteQueue::open(file).await?))
}

/// Opens one that keeps no finished job.
pub(crate) async fn open_forgetful(file: &Path) -> Result<Arc<dyn Inspect>, QueueError> {
    let queue = SqliteQueue::builder(file).keep_completed(Duration::ZERO);
    Ok(Arc::new(queue.open().await?))
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
