//! The suites: systems that keep jobs in the same kind of place, and are measured beside one another.

use clap::ValueEnum;
use harness::Load;
use serde::{Deserialize, Serialize};

use crate::case::Contender;
use crate::workload::Workload;

/// Where the systems of a suite keep jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Suite {
    /// In memory.
    Memory,
    /// In an SQLite file.
    Sqlite,
}

impl Suite {
    /// All of them, in the order in which they're run.
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    /// The word that the command line has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Memory => "Results, in memory",
            Self::Sqlite => "Results, in an SQLite file",
        }
    }

    /// The file that keeps its results.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Memory => "RESULTS.md",
            Self::Sqlite => "RESULTS-sqlite.md",
        }
    }

    /// What is to be known before the figures are read.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::Memory => "",
            Self::Sqlite => {
                "A call of ours, and of the raw statements, returns when the job is on the disk (`synchronous=FULL`, a write-ahead log). \
                 effectum has its default, NORMAL with a rollback journal, which reaches the disk too. \
                 apalis has its default, OFF, which doesn't wait for the disk at all."
            }
        }
    }

    /// What it compares, in the order of the report.
    pub(crate) fn workloads(self) -> &'static [Workload] {
        use Workload::{Bulk, Depth, Drain, Enqueue, Flatness, Latency, Memory, Stream, Threads};
        match self {
            Self::Memory => &[Enqueue, Drain, Stream, Latency, Memory, Depth, Threads],
            Self::Sqlite => &[Enqueue, Bulk, Drain, Stream, Latency, Flatness],
        }
    }

    /// How many jobs go through a system in a measurement, unless something else is asked for.
    pub(crate) fn jobs(self) -> u64 {
        match self {
            Self::Memory => 2_000_000,
            Self::Sqlite => 100_000,
        }
    }

    /// How many of a hundred jobs this system gets under this load.
    ///
    /// Systems on a disk are so unlike that the same number would take one a moment and another minutes: each is given
    /// what takes it a second or more.
    pub(crate) fn percent(self, system: Contender, load: Load) -> u64 {
        use Contender::{ApalisSqlite, Effectum};
        match (self, load, system) {
            (Self::Memory, Load::Depth { .. }, _) => 10,
            (Self::Memory, ..) => 100,
            (Self::Sqlite, Load::Enqueue { tasks: 1 }, Effectum | ApalisSqlite) => 10,
            (Self::Sqlite, Load::Enqueue { tasks: 1 }, _) => 20,
            (Self::Sqlite, Load::Bulk, ApalisSqlite) => 100,
            (Self::Sqlite, Load::Bulk, Effectum) => 200,
            (Self::Sqlite, Load::Bulk, _) => 500,
            (Self::Sqlite, Load::Beside { .. }, _) => 50,
            (Self::Sqlite, Load::Enqueue { .. }, ApalisSqlite) => 10,
            // What it has done slows it: twice the jobs take it four times as long.
            (Self::Sqlite, _, ApalisSqlite) => 5,
            (Self::Sqlite, _, Effectum) => 50,
            (Self::Sqlite, Load::Stream { .. }, _) => 100,
            (Self::Sqlite, ..) => 200,
        }
    }
}
