//! Opens the queues: the only module that names kinds of queues.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use queue_core::admin::QueueCounts;
use queue_core::table::Retention;
use queue_core::{Admin, QueueError, Tick};
use queue_metrics::PrometheusPage;
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::MemoryQueue;

use crate::data_dir::DataFolder;

/// The kinds of queues to choose from for the jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueKind {
    /// In memory: lost when the program ends.
    Memory,
    /// In an SQLite file, by default one in the data folder: kept when the program ends.
    #[default]
    Sqlite,
    /// In this SQLite file.
    SqliteFile(PathBuf),
    /// In the PostgreSQL database of this URL.
    Postgres(Url),
}

/// The URL of a database. It contains a password, so it is not displayed.
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
    /// The queue of closures. They can't be stored, so they are in memory, wherever the jobs are.
    pub closures: MemoryQueue,
}

impl Queues {
    /// Opens the queues.
    ///
    /// # Errors
    ///
    /// The file can't be opened, or the database can't be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the created file or schema behind.
    pub async fn open(kind: &QueueKind, data: &DataFolder) -> Result<Self, QueueError> {
        let jobs: Arc<dyn Admin> = match kind {
            // The page shows finished jobs, so some of them are kept.
            QueueKind::Memory => {
                Arc::new(MemoryQueue::builder().retention(Retention::default().completed(200)).build())
            }
            QueueKind::Sqlite => Arc::new(SqliteQueue::open(data.jobs()).await?),
            QueueKind::SqliteFile(path) => Arc::new(SqliteQueue::open(path).await?),
            QueueKind::Postgres(Url(url)) => Arc::new(PostgresQueue::connect(url).await?),
        };
        Ok(Self::over(jobs))
    }

    /// Wraps a queue for the jobs.
    #[must_use]
    pub fn over(jobs: Arc<dyn Admin>) -> Self {
        let closures = MemoryQueue::builder().retention(Retention::default().completed(200)).build();
        Self { jobs, closures }
    }

    /// Wraps the queue of the jobs so that enqueued jobs are counted.
    #[must_use]
    pub fn count(self, page: &PrometheusPage) -> Self {
        Self { jobs: Arc::new(page.count(self.jobs)), ..self }
    }

    /// Returns both queues.
    #[must_use]
    pub fn all(&self) -> [Arc<dyn Admin>; 2] {
        [self.jobs.clone(), Arc::new(self.closures.clone())]
    }

    /// Returns the number of jobs and closures by state. The tick that waits for the next night is no work of the shop's.
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
        counts.retain(|counts| !Tick::waits_in(&counts.queue));
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
            _ => Err("write `memory`, `sqlite`, `sqlite:PATH` or `postgres://...`".to_owned()),
        }
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queues(..)")
    }
}
