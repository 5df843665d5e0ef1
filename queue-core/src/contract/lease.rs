//! The right to work on a job for a while.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::JobName;

/// How often a job was claimed, this claim included.
///
/// It only grows, so of two holders the one with the greater fence is the newer, whoever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The right to work on a job until an instant of the backend's clock.
///
/// Its holder renews it for as long as the work takes. Whoever holds an older fence than the job's newest holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Which claim of the job this is.
    pub fence: Fence,
    /// For how long each renewal extends it.
    pub length: Duration,
    /// When it becomes void, by the backend's clock.
    pub expires_at: Timestamp,
}

impl Lease {
    /// How long a lease is where nothing else is said.
    pub const DEFAULT_LENGTH: Duration = Duration::from_secs(30);

    /// Creates the lease of one claim of a job.
    #[must_use]
    pub const fn new(job: JobId, fence: Fence, length: Duration, expires_at: Timestamp) -> Self {
        Self { job, fence, length, expires_at }
    }
}

/// Logs that a job was discarded because its lease expired on its last attempt (H68).
///
/// No worker is left to say so: the backend that notices the expiry calls this once for each such job.
pub fn log_discard(job: JobId, name: &JobName, attempts: u32) {
    tracing::error!(
        job.id = %job, job.name = %name, job.attempt = attempts,
        "discarded after {attempts} of {attempts} attempts: the lease expired, since the worker died or could not renew it"
    );
}

/// What became of a lease at its renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// It holds until this new instant.
    #[non_exhaustive]
    Held {
        /// When it becomes void now.
        expires_at: Timestamp,
        /// Why the job is to stop, if somebody asked for that.
        cancel: Option<String>,
    },
    /// It was lost before: somebody else may hold the job, or it has ended.
    Lost,
}

impl Renewal {
    /// Creates the answer for a lease that holds until `expires_at`; `cancel` is why the job is to stop, if somebody asked for that.
    #[must_use]
    pub const fn held(expires_at: Timestamp, cancel: Option<String>) -> Self {
        Self::Held { expires_at, cancel }
    }
}
