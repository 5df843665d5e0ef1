//! The right to work on a job for a limited time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::progress::JobProgress;

/// How many times a job was claimed, including this claim.
///
/// It only grows, so of two leases of a job the one with the greater fence is the newer.
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
/// The holder renews it while the work takes longer. A lease is void if the job has a newer fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The number of this claim of the job.
    pub fence: Fence,
    /// The time by which each renewal extends it.
    pub length: Duration,
    /// When it expires, by the backend's clock.
    pub expires_at: Timestamp,
}

impl Lease {
    /// The default length of a lease.
    pub const DEFAULT_LENGTH: Duration = Duration::from_secs(30);

    /// Creates the lease of one claim of a job.
    #[must_use]
    pub const fn new(job: JobId, fence: Fence, length: Duration, expires_at: Timestamp) -> Self {
        Self { job, fence, length, expires_at }
    }

    /// Returns when the job was claimed, by the backend's clock, if the lease was not renewed since. Returns `None` if the lease
    /// never expires.
    #[must_use]
    pub fn claimed_at(&self) -> Option<Timestamp> {
        (self.expires_at != Timestamp::MAX).then(|| self.expires_at.saturating_sub(self.length))
    }
}

/// A sign of life for a running job, with which its worker renews the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The lease to renew.
    pub lease: Lease,
    /// The progress that the job has reported since the last renewal. `None` leaves the progress that is stored.
    #[serde(default)]
    pub progress: Option<JobProgress>,
}

impl Heartbeat {
    /// Creates the heartbeat of one job, without progress.
    #[must_use]
    pub const fn new(lease: Lease) -> Self {
        Self { lease, progress: None }
    }

    /// Sets the progress of the job.
    #[must_use]
    pub fn progress(mut self, progress: Option<JobProgress>) -> Self {
        self.progress = progress;
        self
    }

    /// Creates a heartbeat for each of these leases.
    #[must_use]
    pub fn of<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> Vec<Self> {
        leases.into_iter().cloned().map(Self::new).collect()
    }
}

/// The result of renewing a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// The lease holds.
    #[non_exhaustive]
    Held {
        /// When it expires now.
        expires_at: Timestamp,
        /// Why the job must stop, if its cancellation was requested.
        cancel: Option<String>,
    },
    /// The lease was lost: another worker may hold the job, or the job has finished.
    Lost,
}

impl Renewal {
    /// Creates the answer for a lease that holds until `expires_at`. `cancel` is the reason, if a cancellation was requested.
    #[must_use]
    pub const fn held(expires_at: Timestamp, cancel: Option<String>) -> Self {
        Self::Held { expires_at, cancel }
    }
}
