//! The error of a run.

use std::fmt::Write as _;

use queue_core::{JobRecord, QueueError};

/// Why a run of the kit failed.
#[derive(Debug, thiserror::Error)]
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

impl KitError {
    pub(super) fn endless(attempts: usize, waiting: &[JobRecord]) -> Self {
        let mut text = String::new();
        for job in waiting.iter().take(5) {
            // Writing to a string can't fail.
            let _ = write!(text, "{} ({}, attempt {}) ", job.name, job.state, job.attempt);
        }
        if waiting.len() > 5 {
            let _ = write!(text, "and {} more", waiting.len() - 5);
        }
        Self::Endless { attempts, waiting: text.trim_end().to_owned() }
    }
}
