//! The status of a host or a service.

use std::fmt;

/// The status of a host or a service.
///
/// Its `Display` text is the label and the reasons, for the body of an answer. Reasons contain the texts of errors, so serve them
/// where only operators read them. [`as_str`](Self::as_str) returns the label alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthStatus {
    /// The service has not started. For a host: at least one of its services has not started.
    Starting,
    /// Everything works.
    Ready,
    /// The host or service runs, and retries an operation that fails.
    Degraded {
        /// A sentence for each thing that fails now.
        reasons: Vec<String>,
    },
    /// The stop has begun or is over, or the service has failed for good.
    Stopping,
}

impl HealthStatus {
    /// Returns whether the status is `Ready` or `Degraded`, so that requests should be routed here.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded { .. })
    }

    /// Returns the label: `starting`, `ready`, `degraded` or `stopping`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded { .. } => "degraded",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Degraded { reasons } => write!(f, "{}: {}", self.as_str(), reasons.join("; ")),
            _ => f.write_str(self.as_str()),
        }
    }
}

/// The status of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// The name of the service.
    pub name: String,
    /// Its status.
    pub status: HealthStatus,
}

impl ServiceHealth {
    pub(super) fn new(name: &str, status: HealthStatus) -> Self {
        Self { name: name.to_owned(), status }
    }

    /// Returns its reasons, each with the name of the service.
    pub(super) fn reasons(&self) -> Vec<String> {
        match &self.status {
            HealthStatus::Degraded { reasons } => {
                reasons.iter().map(|reason| format!("service `{}`: {reason}", self.name)).collect()
            }
            _ => Vec::new(),
        }
    }
}
