//! A case: a system under a load.

use std::fmt;

use clap::ValueEnum;
use harness::{Load, WORKERS};
use serde::{Deserialize, Serialize};

use crate::sharing::Sharing;
use crate::suite::Suite;

/// A measured system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Contender {
    /// `MemoryQueue` and `QueueService` in a `Host`.
    QueueTokio,
    /// `SqliteQueue`, with the same service.
    QueueSqlite,
    /// `PostgresQueue`, with the same service.
    QueuePostgres,
    /// The same as `QueueTokio`, with metrics and traces.
    ObservedTokio,
    /// The same as `QueueSqlite`, with metrics and traces.
    ObservedSqlite,
    /// The same as `QueuePostgres`, with metrics and traces.
    ObservedPostgres,
    /// `Mutex<VecDeque<Box<dyn FnOnce>>>` and a `Semaphore`.
    Baseline,
    /// A tokio channel with a shared receiver.
    Mpsc,
    /// `tokio::spawn` for each job.
    Spawn,
    /// apalis with its `MemoryStorage`.
    Apalis,
    /// A `Vec` of payloads: the memory of a job without a queue.
    Payload,
    /// effectum.
    Effectum,
    /// apalis with its `SqliteStorage`.
    ApalisSqlite,
    /// Statements through the plain driver: the upper bound of SQLite or PostgreSQL.
    Raw,
    /// graphile_worker.
    GraphileWorker,
    /// apalis with its `PostgresStorage`.
    ApalisPostgres,
    /// underway.
    Underway,
    /// sqlxmq.
    Sqlxmq,
    /// fang.
    Fang,
    /// awa.
    Awa,
}

impl Contender {
    /// Returns whether the system is one of this project.
    pub(crate) fn is_own(self) -> bool {
        Self::OWN.contains(&self)
    }

    /// Returns the system of this project with metrics and traces, of the same store.
    pub(crate) fn observed(self) -> Option<Self> {
        match self {
            Self::QueueTokio => Some(Self::ObservedTokio),
            Self::QueueSqlite => Some(Self::ObservedSqlite),
            Self::QueuePostgres => Some(Self::ObservedPostgres),
            _ => None,
        }
    }

    /// The systems of this project.
    pub(crate) const OWN: [Self; 3] = [Self::QueueTokio, Self::QueueSqlite, Self::QueuePostgres];
    /// The systems that keep jobs in memory until a worker takes them.
    pub(crate) const QUEUES: [Self; 4] = [Self::QueueTokio, Self::Baseline, Self::Mpsc, Self::Apalis];
    /// The systems that run jobs from memory.
    pub(crate) const RUNNERS: [Self; 5] =
        [Self::QueueTokio, Self::Baseline, Self::Mpsc, Self::Spawn, Self::Apalis];
    /// The systems that keep jobs in memory, run or not.
    pub(crate) const HOLDERS: [Self; 6] =
        [Self::QueueTokio, Self::Baseline, Self::Mpsc, Self::Spawn, Self::Apalis, Self::Payload];
    /// The systems that keep jobs in an SQLite file.
    pub(crate) const FILES: [Self; 3] = [Self::QueueSqlite, Self::Effectum, Self::ApalisSqlite];
    /// The same, and the upper bound of SQLite.
    pub(crate) const FILES_AND_RAW: [Self; 4] =
        [Self::QueueSqlite, Self::Effectum, Self::ApalisSqlite, Self::Raw];
    /// The systems that keep jobs in PostgreSQL.
    pub(crate) const SERVED: [Self; 7] = [
        Self::QueuePostgres,
        Self::GraphileWorker,
        Self::ApalisPostgres,
        Self::Underway,
        Self::Sqlxmq,
        Self::Fang,
        Self::Awa,
    ];
    /// The same, and the upper bound of PostgreSQL.
    pub(crate) const SERVED_AND_RAW: [Self; 8] = [
        Self::QueuePostgres,
        Self::GraphileWorker,
        Self::ApalisPostgres,
        Self::Underway,
        Self::Sqlxmq,
        Self::Fang,
        Self::Awa,
        Self::Raw,
    ];
    /// The systems on PostgreSQL that take many jobs in a call.
    pub(crate) const SERVED_IN_BULK: [Self; 6] = [
        Self::QueuePostgres,
        Self::GraphileWorker,
        Self::ApalisPostgres,
        Self::Underway,
        Self::Awa,
        Self::Raw,
    ];
    /// The systems on PostgreSQL that may keep up with 2,000 jobs per second. graphile_worker falls thousands of jobs behind.
    pub(crate) const SERVED_AT_2000: [Self; 5] =
        [Self::QueuePostgres, Self::ApalisPostgres, Self::Sqlxmq, Self::Awa, Self::Raw];
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueTokio => "queue-tokio",
            Self::QueueSqlite => "queue-sqlite",
            Self::QueuePostgres => "queue-postgres",
            Self::ObservedTokio => "queue-tokio, observed",
            Self::ObservedSqlite => "queue-sqlite, observed",
            Self::ObservedPostgres => "queue-postgres, observed",
            Self::Baseline => "the baseline",
            Self::Mpsc => "tokio mpsc, shared receiver",
            Self::Spawn => "one tokio::spawn per job",
            Self::Apalis => "apalis MemoryStorage",
            Self::Payload => "payloads only",
            Self::Effectum => "effectum, its default NORMAL",
            Self::ApalisSqlite => "apalis-sqlite, its default OFF",
            Self::Raw => "raw statements",
            Self::GraphileWorker => "graphile_worker",
            Self::ApalisPostgres => "apalis-postgres",
            Self::Underway => "underway",
            Self::Sqlxmq => "sqlxmq",
            Self::Fang => "fang",
            Self::Awa => "awa",
        })
    }
}

/// One measurement: a system, a load, and a size. The queue of this project may have partitions and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) suite: Suite,
    pub(crate) load: Load,
    pub(crate) system: Contender,
    pub(crate) sharing: Sharing,
    pub(crate) jobs: u64,
}

impl Case {
    /// Returns the system's name, with the settings that differ from those of the other rows.
    pub(crate) fn label(&self) -> String {
        match self.load {
            Load::Drain { workers } if workers != WORKERS => format!("{}, {workers} workers", self.system),
            _ => self.system.to_string(),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}", self.system, self.load)?;
        if self.sharing == Sharing::Plain { Ok(()) } else { write!(f, ", {}", self.sharing) }
    }
}
