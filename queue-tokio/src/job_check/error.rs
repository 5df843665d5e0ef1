//! The errors of a check of stored jobs.

use std::io;
use std::path::PathBuf;

use queue_core::QueueError;

/// The reason why a [`JobCheck`](crate::JobCheck) has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The store failed.
    #[error("the stored jobs could not be read")]
    Store(#[source] QueueError),
    /// The program could not be started.
    #[error("the program `{}` could not be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program did not answer `--queue-jobs`, and was killed.
    #[error(
        "the program `{}` did not answer `--queue-jobs`: its `main` must begin with `queue_tokio::answer_job_check(&jobs)`",
        program.display()
    )]
    NoAnswer {
        /// The program.
        program: PathBuf,
    },
    /// The program ended, or answered something else, before all jobs were checked.
    #[error("the program `{}` did not check all jobs: {reason}", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// The reason.
        reason: String,
    },
}
