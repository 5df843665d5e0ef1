//! How the contract's types are written in a history.

use std::time::Duration;

use queue_core::{Fence, JobId, Lease, Schedule, Timestamp, Transition};
use serde::{Deserialize, Serialize};

/// A lease, field by field.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Lease")]
pub(super) struct WrittenLease {
    job: JobId,
    fence: Fence,
    length: Duration,
    expires_at: Timestamp,
}

/// A transition, by its name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Transition", rename_all = "lowercase")]
pub(super) enum WrittenTransition {
    Complete,
    Retry { at: Timestamp, error: String },
    Snooze { at: Timestamp, error: Option<String> },
    Discard { error: String },
    Cancel { reason: String },
    Release,
}

/// A schedule, by its name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Schedule", rename_all = "lowercase")]
pub(super) enum WrittenSchedule {
    Now,
    After(Duration),
    At(Timestamp),
}
