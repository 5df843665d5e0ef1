//! The effect of a call, as far as its caller knows it.

use queue_core::{QueueError, QueueErrorKind, Settled};
use serde::{Deserialize, Serialize};

/// Whether a call took effect, as far as its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownOutcome {
    /// The queue answered that it changed nothing.
    Refused,
    /// There was no answer, or an error after which both are possible.
    Unknown,
    /// The queue answered that the call took effect.
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

/// An error of kind `Unavailable` may come after the effect. Every other error means that there was none.
impl From<&QueueError> for KnownOutcome {
    fn from(error: &QueueError) -> Self {
        if error.kind() == QueueErrorKind::Unavailable { Self::Unknown } else { Self::Refused }
    }
}
