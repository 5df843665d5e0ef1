//! The errors of a host.

/// Why a host could not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A service could not start.
    #[error("the service `{service}` could not start: {message}")]
    Start {
        /// The name of the service.
        service: String,
        /// The error with its causes.
        message: String,
    },
    /// A service ended, failed or panicked while it should have run.
    #[error("the service `{service}` {message}")]
    Failed {
        /// The name of the service.
        service: String,
        /// How the service ended.
        message: String,
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
