//! The error of a run.

use std::fmt::{self, Write as _};
use std::time::Duration;

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
    #[error("no job is called `{name}`: add it to the `jobs![..]` of the kit")]
    Unknown {
        /// The job's name.
        name: JobName,
    },
    /// An attempt did not end within the kit's patience, in real time.
    #[error(
        "`{job}` (attempt {attempt}) has not ended after {patience:?} of real time: it waits for an event that does not \
         happen, or it takes longer; bound it with `timeout = \"..\"`, or raise `.patience(..)`"
    )]
    NeverEnds {
        /// The job's name.
        job: JobName,
        /// The number of the attempt.
        attempt: u32,
        /// How long the kit waited.
        patience: Duration,
    },
    /// The queue did not answer within the kit's patience, in real time.
    #[error(
        "the queue has not answered after {patience:?} of real time: a fault such as `HangBefore` was injected, or its \
         store waits for a lock"
    )]
    NoAnswer {
        /// How long the kit waited.
        patience: Duration,
    },
    /// Jobs are ready, and claims don't get them.
    #[error(
        "jobs are ready and the queue has not delivered them for {patience:?} of real time: a transaction that is still \
         open has locked them; waiting: {waiting}"
    )]
    Locked {
        /// How long the kit waited.
        patience: Duration,
        /// The jobs that were unfinished.
        waiting: String,
    },
    /// The kit can't move the queue's time, and would wait longer than its patience.
    #[error(
        "the next job is due in {wait:?}, and the kit can't move this queue's time: open the queue with a clock for tests \
         (`SqliteQueue::builder(..).clock(VirtualClock::new())`, `PostgresQueue::builder(..).test_clock(..)`), or raise \
         `.patience(..)` above that time"
    )]
    RealTime {
        /// How long the kit would have to wait.
        wait: Duration,
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
        Self::Endless { attempts, waiting: listed(waiting) }
    }
}

/// Lists the first of these jobs.
pub(super) fn listed(waiting: &[JobRecord]) -> String {
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
    text.trim_end().to_owned()
}
