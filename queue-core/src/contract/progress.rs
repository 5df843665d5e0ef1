//! The progress that a running job reports.

use serde::{Deserialize, Serialize};

use crate::contract::limits::Limits;

/// The progress of a running job: how much is done, in percent, and the job's own note.
///
/// A worker sends it with the next renewal of the job's lease. The queue keeps the latest one, and drops it with the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    percent: u8,
    note: String,
}

impl JobProgress {
    /// Creates a progress. A value above 100 counts as 100, and a long note is cut as [`Limits::cut`] does.
    pub fn new(percent: u8, note: impl Into<String>) -> Self {
        Self { percent: percent.min(100), note: Limits::cut(note.into()) }
    }

    /// Returns how much is done, in percent: 0 to 100.
    #[must_use]
    pub const fn percent(&self) -> u8 {
        self.percent
    }

    /// Returns the job's note.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}
