//! Why a host ended badly.

/// Why a host could not start, or ended badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A service could not start.
    #[error("the service `{service}` could not start: {message}")]
    Start {
        /// Which one.
        service: String,
        /// What it said, causes included.
        message: String,
    },
    /// A service ended, failed or panicked while it should have run.
    #[error("the service `{service}` {message}")]
    Failed {
        /// Which one.
        service: String,
        /// How it ended.
        message: String,
    },
    /// A second signal came before the stop was over.
    #[error(
        "aborted by a second signal; a durable queue delivers the jobs that were running again once their leases have expired"
    )]
    Aborted,
    /// The process can't listen to signals.
    #[error("could not listen to signals")]
    Signals(#[from] std::io::Error),
}
