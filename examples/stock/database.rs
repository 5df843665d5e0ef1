//! The SQLite file of the catalogue.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::{JoinError, spawn_blocking};

/// The file of the catalogue.
///
/// Each call opens a connection of its own, which takes a fraction of a millisecond and isolates the callers.
/// SQLite runs only on threads that may block.
#[derive(Clone, Debug)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    /// Opens the file, and creates missing tables.
    ///
    /// # Errors
    ///
    /// The file can't be written, or is not a database.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DatabaseError> {
        let database = Self { path: path.into() };
        let connection = database.connect()?;
        // Readers see the last commit and never wait for the writer. The mode is stored in the file, so setting it once is enough.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        Ok(database)
    }

    /// Runs a query outside of any transaction. It sees committed data, and reading never waits.
    ///
    /// # Errors
    ///
    /// The error of the database.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the query still runs, and its result is lost.
    pub async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let database = self.clone();
        spawn_blocking(move || Ok(query(&database.connect()?)?)).await?
    }

    /// Opens a connection, which blocks for a moment.
    pub(crate) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Self::PATIENCE)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time that a writer waits for another writer.
    const PATIENCE: Duration = Duration::from_secs(10);
}

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The database returned an error.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A query panicked.
    #[error("a query panicked")]
    Panicked(#[from] JoinError),
    /// The future of an earlier query of the transaction was dropped.
    #[error("the transaction was abandoned and is rolled back")]
    Abandoned,
}
