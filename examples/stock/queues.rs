//! Where the background's work is kept: the one place that names a kind of queue.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use queue_core::admin::QueueCounts;
use queue_core::table::Retention;
use queue_core::{Admin, QueueError};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::MemoryQueue;

use crate::data_dir::DataFolder;

/// The queues to choose from for the jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueKind {
    /// In memory: gone when the program ends.
    Memory,
    /// In an SQLite file, or in one of the data folder: there when the program is started again.
    #[default]
    Sqlite,
    /// In this SQLite file.
    SqliteFile(PathBuf),
    /// In the PostgreSQL database of this URL.
    Postgres(Url),
}

/// The URL of a database; it has a password in it, so it's shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(..)")
    }
}

/// The queues of the application. Cheap to clone.
#[derive(Clone)]
pub struct Queues {
    /// The jobs.
    pub jobs: Arc<dyn Admin>,
    /// Closures, which can't be stored, so that they are in memory whatever the jobs are in.
    pub closures: MemoryQueue,
}

impl Queues {
    /// Opens them.
    ///
    /// # Errors
    ///
    /// The file can't be opened, or the database can't be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the file or the schema made.
    pub async fn open(kind: &QueueKind, data: &DataFolder) -> Result<Self, QueueError> {
        let jobs: Arc<dyn Admin> = match kind {
            // The page shows what was done, so some of it is kept.
            QueueKind::Memory => {
                Arc::new(MemoryQueue::builder().retention(Retention::default().completed(200)).build())
            }
            QueueKind::Sqlite => Arc::new(SqliteQueue::open(data.jobs()).await?),
            QueueKind::SqliteFile(path) => Arc::new(SqliteQueue::open(path).await?),
            QueueKind::Postgres(Url(url)) => Arc::new(PostgresQueue::connect(url).await?),
        };
        Ok(Self::over(jobs))
    }

    /// Takes a queue for the jobs.
    #[must_use]
    pub fn over(jobs: Arc<dyn Admin>) -> Self {
        let closures = MemoryQueue::builder().retention(Retention::default().completed(200)).build();
        Self { jobs, closures }
    }

    /// Counts the jobs and the closures by state.
    ///
    /// # Errors
    ///
    /// The queue failed.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        let mut counts = self.jobs.counts().await?;
        counts.extend(self.closures.counts().await?);
        Ok(counts)
    }
}

impl FromStr for QueueKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("sqlite:")) {
            ("memory", _) => Ok(Self::Memory),
            ("sqlite", _) => Ok(Self::Sqlite),
            (_, Some(path)) if !path.is_empty() => Ok(Self::SqliteFile(path.into())),
            _ if text.starts_with("postgres://") => Ok(Self::Postgres(Url(text.to_owned()))),
            _ => Err("it is `memory`, `sqlite`, `sqlite:PATH` or `postgres://...`".to_owned()),
        }
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queues(..)")
    }
}
