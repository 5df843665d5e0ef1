//! The sort and the order of a list.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::record::{JobRecord, State};

/// The time by which a list is sorted. Jobs with the same time are in push order.
///
/// Choose the sort that fits the states of the filter. SQLite and PostgreSQL have an index for `Finished` and `RunAt` in each
/// queue, and for `Pushed` over all jobs. They read the jobs of a list in its order, and skip those that the other fields of the
/// filter exclude.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sort {
    /// All jobs in push order.
    #[default]
    Pushed,
    /// Finished jobs by the time at which they finished. The list leaves out unfinished jobs.
    Finished,
    /// Unfinished jobs by the time at which they become or became ready. The list leaves out finished jobs.
    RunAt,
}

impl Sort {
    /// Returns whether a list of this sort contains jobs in a state.
    #[must_use]
    pub const fn lists(self, state: State) -> bool {
        match self {
            Self::Pushed => true,
            Self::Finished => state.is_finished(),
            Self::RunAt => !state.is_finished(),
        }
    }

    /// Returns the time by which the list sorts a job. In push order, it is the same for all jobs.
    #[must_use]
    pub fn time(self, job: &JobRecord) -> Timestamp {
        match self {
            Self::Pushed => Timestamp::EPOCH,
            Self::Finished => job.finished_at.unwrap_or(Timestamp::EPOCH),
            Self::RunAt => job.run_at,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Finished => "finished",
            Self::RunAt => "run_at",
        }
    }
}

/// Displays the name of the sort: `pushed`, `finished` or `run_at`.
impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The end of the order with which a list begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The earliest job comes first.
    #[default]
    Oldest,
    /// The latest job comes first.
    Newest,
}

impl Order {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
        }
    }
}

/// Displays the name of the order: `oldest` or `newest`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
