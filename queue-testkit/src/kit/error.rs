//! The error of a run.

use std::fmt::{self, Write as _};

use queue_core::backend::error_chain;
use queue_core::{JobName, JobRecord, QueueError};

/// Why a run of the kit failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The queue refused an operation permanently.
    #[error("the queue refused to {operation}")]
    Queue {
        /// The operation.
        operation: &'static str,
        /// Why the queue refused it.
        source: QueueError,
    },
    /// [`run_until_idle`](super::TestKit::run_until_idle) claimed a job that the kit does not know. Such a job never ends.
    #[error("no job is called `{name}`: add it to `TestKit::new(jobs![..])`")]
    Unknown {
        /// The job's name.
        name: JobName,
    },
    /// There was still work after the maximum number of attempts.
    #[error(
        "still not idle after {attempts} attempts; an endless chain, or raise `.limit(..)`; waiting: {waiting}"
    )]
    Endless {
        /// The number of attempts.
        attempts: usize,
        /// The jobs that were unfinished.
        waiting: String,
    },
}

/// Prints the message with its causes, since a test that returns an error prints its `Debug`.
impl fmt::Debug for KitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", error_chain(self))
    }
}

impl KitError {
    pub(super) fn endless(attempts: usize, waiting: &[JobRecord]) -> Self {
        let mut text = String::new();
        for job in waiting.iter().take(5) {
            // Writing to a string can't fail.
            let _ = write!(text, "{} ({}, attempt {}", job.name, job.state, job.attempt);
            if let Some(last) = job.errors.last() {
                let _ = write!(text, ", last error: {}", last.message);
            }
            text.push_str(") ");
        }
        if waiting.len() > 5 {
            let _ = write!(text, "and {} more", waiting.len() - 5);
        }
        Self::Endless { attempts, waiting: text.trim_end().to_owned() }
    }
}
