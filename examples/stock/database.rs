//! The SQLite file of the catalogue.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::{JoinError, spawn_blocking};

/// The file that the catalogue is in.
///
/// Each use opens a connection of its own, which takes a fraction of a millisecond and keeps users apart.
/// All of SQLite happens on threads where it may block.
#[derive(Clone, Debug)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    /// Opens the file, and makes its tables where they are missing.
    ///
    /// # Errors
    ///
    /// The file can't be written, or is no database.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DatabaseError> {
        let database = Self { path: path.into() };
        let connection = database.connect()?;
        // Readers see the last commit and never wait for the writer. It is a property of the file, so once is enough.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        Ok(database)
    }

    /// Runs a query outside of any transaction; it sees what is committed, and to read it waits for nobody.
    ///
    /// # Errors
    ///
    /// What the database said.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the answer.
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

    /// Tells where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long a writer waits for the one before it.
    const PATIENCE: Duration = Duration::from_secs(10);
}

/// Why the database didn't do as it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It said no.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A query panicked.
    #[error("a query panicked")]
    Panicked(#[from] JoinError),
    /// Whoever used the transaction was dropped in the middle of it.
    #[error("the transaction was abandoned half-way and is rolled back")]
    Abandoned,
}
