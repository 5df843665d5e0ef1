//! What a caller learnt of its call.

use queue_core::{QueueError, QueueErrorKind, Settled};
use serde::{Deserialize, Serialize};

/// Whether a call took effect, as far as its caller learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownOutcome {
    /// It changed nothing, and the queue said so.
    Refused,
    /// Nobody knows: there was no answer, or one that can't tell.
    Unknown,
    /// It took effect, and the queue said so.
    Applied,
}

impl From<Settled> for KnownOutcome {
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Applied => Self::Applied,
            _ => Self::Refused,
        }
    }
}

/// An error of kind `Unavailable` may come after the effect; every other is a refusal.
impl From<&QueueError> for KnownOutcome {
    fn from(error: &QueueError) -> Self {
        if error.kind() == QueueErrorKind::Unavailable { Self::Unknown } else { Self::Refused }
    }
}
