//! The queue under torture. No other module depends on the backend.

mod postgres;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_core::{Admin, QueueError};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use tokio::time::sleep;

/// The location of a store.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// In an SQLite file.
    File(PathBuf),
    /// In the PostgreSQL database of this URL.
    Database(String),
}

/// How long a server may be down when a queue is first opened.
const PATIENCE: Duration = Duration::from_secs(60);

impl std::str::FromStr for Location {
    type Err = std::convert::Infallible;

    fn from_str(location: &str) -> Result<Self, Self::Err> {
        let is_url = location.starts_with("postgres://");
        Ok(if is_url { Self::Database(location.to_owned()) } else { Self::File(location.into()) })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Database(url) => url.fmt(f),
        }
    }
}

/// An open queue, with its backend: units of work are the backend's own.
#[derive(Clone)]
pub(crate) enum Store {
    Sqlite(SqliteQueue),
    Postgres(PostgresQueue),
}

impl Store {
    /// Returns the queue without its backend.
    pub(crate) fn admin(&self) -> Arc<dyn Admin> {
        match self {
            Self::Sqlite(queue) => Arc::new(queue.clone()),
            Self::Postgres(queue) => Arc::new(queue.clone()),
        }
    }
}

impl Location {
    /// Opens the queue as an application that waits until its server is up.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
        Ok(self.open_store().await?.admin())
    }

    /// Opens the queue likewise, for an application with units of work.
    pub(crate) async fn open_store(&self) -> Result<Store, QueueError> {
        let start = Instant::now();
        loop {
            let opened = match self {
                Self::File(file) => return SqliteQueue::open(file).await.map(Store::Sqlite),
                Self::Database(url) => PostgresQueue::builder(url)
                    .unit_of_work_connections(4)
                    .connect()
                    .await
                    .map(Store::Postgres),
            };
            match opened {
                Err(error) if error.is_transient() && start.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(100)).await;
                }
                opened => return opened,
            }
        }
    }

    /// Creates a database on a small disk of a server, so that nothing but this database fills the disk.
    #[cfg(target_os = "linux")]
    pub(crate) async fn small_database(
        server: &test_servers::Postgres,
        disk: &Path,
    ) -> Result<Self, queue_core::BoxError> {
        postgres::make_on(server, disk).await.map(Self::Database)
    }

    /// Checks the integrity of the store itself.
    pub(crate) async fn check_integrity(&self) -> Result<(), String> {
        match self {
            Self::File(file) => check_integrity(file),
            Self::Database(url) => postgres::check_integrity(url).await,
        }
    }
}

/// Opens a file as an application does.
pub(crate) async fn open(file: &Path) -> Result<Arc<dyn Admin>, QueueError> {
    Ok(Arc::new(SqliteQueue::open(file).await?))
}

/// Opens a file with a queue that keeps no finished jobs.
pub(crate) async fn open_forgetful(file: &Path) -> Result<Arc<dyn Admin>, QueueError> {
    let queue = SqliteQueue::builder(file).keep_completed(Duration::ZERO);
    Ok(Arc::new(queue.open().await?))
}

/// Runs SQLite's integrity check on a file.
fn check_integrity(file: &Path) -> Result<(), String> {
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
