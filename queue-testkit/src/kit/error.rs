//! Why a run could not go on.

use std::fmt::Write as _;

use queue_core::{JobRecord, QueueError};

/// Why a run of the kit could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The queue refused something for good.
    #[error("the queue refused to {operation}")]
    Queue {
        /// What it was asked to do.
        operation: &'static str,
        /// Why it refused.
        source: QueueError,
    },
    /// So many attempts were made, and there was still work.
    #[error(
        "still not idle after {attempts} attempts; an endless chain, or raise `.limit(..)`; waiting: {waiting}"
    )]
    Endless {
        /// How many attempts were made.
        attempts: usize,
        /// What was waiting then.
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
