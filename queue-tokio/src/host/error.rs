//! The errors of a host.

use std::fmt;

use queue_core::backend::error_chain;
use queue_core::{BoxError, BuildError};

/// Why a host could not start, or did not stop in order.
///
/// The error of a service is the [`source`](std::error::Error::source), as the service returned it.
///
/// Its `Debug` text is its text with all causes, since a `main` that returns an error prints `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The service was not started, because of the problems that the check before the start found.
    #[error(transparent)]
    Invalid(#[from] BuildError),
    /// A service could not start.
    #[error("the service `{service}` could not start")]
    Start {
        /// The name of the service.
        service: String,
        /// The error that it returned, or its panic.
        source: BoxError,
    },
    /// A service returned an error while it should have run.
    #[error("the service `{service}` failed")]
    Failed {
        /// The name of the service.
        service: String,
        /// The error that it returned.
        source: BoxError,
    },
    /// A service panicked.
    #[error("the service `{service}` {message}")]
    Panicked {
        /// The name of the service.
        service: String,
        /// The panic, with its place: `panicked: index out of bounds, at src/main.rs:7:5`.
        message: String,
    },
    /// A service returned without an error while it should have run.
    #[error("the service `{service}` ended while it should have run")]
    Ended {
        /// The name of the service.
        service: String,
    },
    /// A second signal came before the stop had finished.
    #[error(
        "aborted by a second signal; a durable queue delivers the interrupted jobs again once their leases have expired"
    )]
    Aborted,
    /// The process can't listen to signals.
    #[error("could not listen to signals")]
    Signals(#[from] std::io::Error),
}

impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_chain(self))
    }
}

impl HostError {
    /// Returns what happened to the service with all causes, for a log line that has the service's name already.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Failed { source, .. } => format!("failed: {}", error_chain(source.as_ref())),
            Self::Panicked { message, .. } => message.clone(),
            Self::Ended { .. } => "ended while it should have run".to_owned(),
            Self::Start { source, .. } => error_chain(source.as_ref()),
            Self::Invalid(_) | Self::Aborted | Self::Signals(_) => error_chain(self),
        }
    }
}
