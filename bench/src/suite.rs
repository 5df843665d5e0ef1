//! The suites: systems that store jobs in the same kind of medium, and are measured side by side.

use clap::ValueEnum;
use harness::Load;
use serde::{Deserialize, Serialize};

use crate::case::Contender;
use crate::workload::Workload;

/// The medium in which the systems of a suite store jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Suite {
    /// In memory.
    Memory,
    /// In an SQLite file.
    Sqlite,
    /// On a PostgreSQL server.
    Postgres,
    /// In memory and in an SQLite file, only this project's queues: the cost of a job as something grows.
    Curves,
    /// In all three, this project's queues: partitions and limits.
    Limits,
}

impl Suite {
    /// All suites, in the order in which they run.
    pub(crate) const ALL: [Self; 5] =
        [Self::Memory, Self::Sqlite, Self::Postgres, Self::Curves, Self::Limits];

    /// Returns the name on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Curves => "curves",
            Self::Limits => "limits",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Memory => "Results, in memory",
            Self::Sqlite => "Results, in an SQLite file",
            Self::Postgres => "Results, on a PostgreSQL server",
            Self::Curves => "Results, by scale",
            Self::Limits => "Results, of partitions and limits",
        }
    }

    /// Returns the file of its results.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Memory => "RESULTS.md",
            Self::Sqlite => "RESULTS-sqlite.md",
            Self::Postgres => "RESULTS-postgres.md",
            Self::Curves => "RESULTS-curves.md",
            Self::Limits => "RESULTS-limits.md",
        }
    }

    /// Returns whether the system uses a server.
    pub(crate) fn is_served(self, system: Contender) -> bool {
        match self {
            Self::Memory | Self::Sqlite | Self::Curves => false,
            Self::Postgres => true,
            Self::Limits => !matches!(system, Contender::QueueTokio | Contender::QueueSqlite),
        }
    }

    /// Returns the notes on the figures.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::Memory => "",
            Self::Sqlite => {
                "A call of queue-sqlite, and of the raw statements, returns when the job is on the disk (`synchronous=FULL`, a write-ahead log). \
                 effectum has its default, NORMAL with a rollback journal, which reaches the disk too. \
                 apalis has its default, OFF, which doesn't wait for the disk at all."
            }
            Self::Postgres => {
                "A call of any system returns when the job is on the disk: `fsync` and `synchronous_commit` are on, as by default. \
                 The server is on the same cores as the clients, which reach it by a socket. \
                 Each measurement has a fresh database, made after a checkpoint."
            }
            Self::Curves => {
                "In the file a call returns when the job is on the disk (`synchronous=FULL`, a write-ahead log)."
            }
            Self::Limits => {
                "In the file and on the server a call returns when the job is on the disk. The server is on the same cores as the \
                 clients. Each measurement has a fresh file, or a fresh database made after a checkpoint."
            }
        }
    }

    /// Returns the workloads, in the order of the report.
    pub(crate) fn workloads(self) -> &'static [Workload] {
        use Workload::{
            Backlog, Batches, Bulk, Depth, Drain, Enqueue, Fairness, Finished, Flatness, Latency, Memory,
            Payload, Starts, Steady, Stream, Threads, Work,
        };
        match self {
            Self::Memory => &[Enqueue, Drain, Stream, Latency, Memory, Depth, Threads],
            Self::Sqlite => &[Enqueue, Bulk, Drain, Stream, Latency, Flatness],
            Self::Postgres => &[Enqueue, Bulk, Drain, Stream, Latency, Steady, Flatness],
            Self::Curves => &[Backlog, Flatness, Finished, Drain, Payload, Batches, Steady],
            Self::Limits => &[Drain, Stream, Work, Fairness, Starts],
        }
    }

    /// Returns the default number of jobs that pass through a system in a measurement.
    pub(crate) fn jobs(self) -> u64 {
        match self {
            Self::Memory => 2_000_000,
            Self::Sqlite | Self::Postgres | Self::Curves | Self::Limits => 100_000,
        }
    }

    /// Returns the percentage of the jobs that this system gets under this load.
    ///
    /// Systems that write to a disk differ so much that the same number would take one a moment and another minutes. Each gets
    /// enough jobs to run for a second or more.
    pub(crate) fn percent(self, system: Contender, load: Load) -> u64 {
        use Contender::{
            ApalisPostgres, ApalisSqlite, Awa, Effectum, Fang, GraphileWorker, ObservedPostgres,
            QueuePostgres, QueueSqlite, QueueTokio, Raw, Sqlxmq, Underway,
        };
        match (self, load, system) {
            (Self::Memory, Load::BesideWaiting { .. }, _) => 10,
            (Self::Memory, ..) => 100,
            (Self::Sqlite, Load::Enqueue { tasks: 1 }, Effectum | ApalisSqlite) => 10,
            (Self::Sqlite, Load::Enqueue { tasks: 1 }, _) => 20,
            (Self::Sqlite, Load::Bulk, ApalisSqlite) => 100,
            (Self::Sqlite, Load::Bulk, Effectum) => 200,
            (Self::Sqlite, Load::Bulk, _) => 500,
            (Self::Sqlite, Load::BesideFinished { .. }, _) => 50,
            (Self::Sqlite, Load::Enqueue { .. }, ApalisSqlite) => 10,
            // Finished jobs slow it: twice the jobs take four times as long.
            (Self::Sqlite, _, ApalisSqlite) => 5,
            (Self::Sqlite, _, Effectum) => 50,
            (Self::Sqlite, Load::Stream { .. }, _) => 100,
            (Self::Sqlite, ..) => 200,
            (Self::Postgres, Load::Enqueue { tasks: 1 }, GraphileWorker | Sqlxmq | Awa) => 3,
            (Self::Postgres, Load::Enqueue { tasks: 1 }, _) => 10,
            (Self::Postgres, Load::Enqueue { tasks: 256 }, _) => 200,
            (Self::Postgres, Load::Enqueue { .. }, QueuePostgres) => 100,
            (Self::Postgres, Load::Enqueue { .. }, Raw) => 50,
            (Self::Postgres, Load::Enqueue { .. }, Fang) => 20,
            (Self::Postgres, Load::Enqueue { .. }, _) => 5,
            (Self::Postgres, Load::Bulk, Raw) => 500,
            (Self::Postgres, Load::Bulk, QueuePostgres) => 300,
            (Self::Postgres, Load::Drain { .. }, Raw | QueuePostgres | ObservedPostgres) => 200,
            (Self::Postgres, Load::BesideFinished { .. }, _) => 50,
            (Self::Postgres, Load::Drain { .. }, ApalisPostgres) => 20,
            (Self::Postgres, Load::Stream { .. }, GraphileWorker | ApalisPostgres | Sqlxmq | Awa | Raw) => 5,
            (Self::Postgres, _, Raw) => 50,
            (Self::Postgres, _, Sqlxmq) => 10,
            (Self::Postgres, Load::Drain { .. } | Load::Stream { .. }, Underway | Fang) => 1,
            (Self::Postgres, ..) => 100,
            (Self::Curves, Load::Payload { bytes: 4_096 }, _) => 50,
            (Self::Curves, Load::Payload { bytes: 65_536 }, _) => 5,
            (Self::Curves, Load::Finished { .. }, _) => 200,
            (Self::Curves, Load::BehindReady { .. } | Load::BesideFinished { .. }, _) => 50,
            (Self::Curves, Load::Batches { of: 1 }, QueueSqlite) => 10,
            (Self::Curves, Load::Batches { of: 10 } | Load::Drain { workers: 1 }, QueueSqlite) => 50,
            (Self::Curves, Load::Batches { of: 1_000 }, QueueSqlite) => 500,
            (Self::Curves, _, QueueSqlite) => 100,
            (Self::Curves, ..) => 1_000,
            // For about five seconds.
            (Self::Limits, Load::Work { millis, .. }, _) => 300 / millis,
            (Self::Limits, _, QueueTokio) => 1_000,
            (Self::Limits, Load::Drain { .. }, QueuePostgres) => 50,
            (Self::Limits, Load::Stream { .. }, QueuePostgres) => 20,
            (Self::Limits, ..) => 100,
        }
    }
}
