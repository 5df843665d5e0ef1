//! The result of an attempt, as a queue records it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::job::NewJob;
use crate::contract::lease::Lease;
use crate::contract::limits::Limits;
use crate::contract::result::StoredResult;

/// The result of an attempt, which a worker passes to [`Queue::settle`](crate::Queue::settle).
///
/// ```
/// # use queue_core::{Body, Demand, NewJob, Queue as _, Settled, Settlement, Transition};
/// # use queue_testkit::ModelQueue;
/// # queue_testkit::block_on(async {
/// # let queue = ModelQueue::new();
/// queue.push(vec![NewJob::new("send_mail", Body::stored("{}"))]).await?;
/// let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
///
/// let settlement = Settlement::new(delivery.lease, Transition::complete());
/// assert_eq!(queue.settle(vec![settlement.clone()]).await?, [Settled::Applied]);
/// assert_eq!(queue.settle(vec![settlement]).await?, [Settled::Stale]); // the job has finished
/// # Ok::<(), queue_core::QueueError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The lease under which the attempt ran.
    pub lease: Lease,
    /// The state to which the job goes.
    pub transition: Transition,
    /// Jobs that are stored in the same atomic step, if and only if the transition applies.
    pub followups: Vec<NewJob>,
}

impl Settlement {
    /// Creates a settlement without followups.
    #[must_use]
    pub fn new(lease: Lease, transition: Transition) -> Self {
        Self { lease, transition, followups: Vec::new() }
    }

    /// Sets the followups.
    #[must_use]
    pub fn followups(mut self, followups: Vec<NewJob>) -> Self {
        self.followups = followups;
        self
    }
}

impl Transition {
    /// Creates the transition of a job that succeeded and has no result.
    #[must_use]
    pub const fn complete() -> Self {
        Self::Complete { result: None }
    }

    /// Creates the transition of a job that succeeded with a result.
    #[must_use]
    pub const fn complete_with(result: StoredResult) -> Self {
        Self::Complete { result: Some(result) }
    }

    /// Returns the result, if this is a completion that has one.
    #[must_use]
    pub const fn result(&self) -> Option<&StoredResult> {
        match self {
            Self::Complete { result } => result.as_ref(),
            _ => None,
        }
    }

    /// Returns the name of the transition, without its details: a label for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "complete",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::Throttle { .. } => "throttle",
            Self::Discard { .. } => "discard",
            Self::Cancel { .. } => "cancel",
            Self::Release => "release",
        }
    }

    /// Cuts the error or the reason, if there is one, as [`Limits::cut`] does.
    ///
    /// Every queue calls this before it stores a settlement.
    pub fn cut_text(&mut self) {
        match self {
            Self::Retry { error: text, .. }
            | Self::Snooze { error: Some(text), .. }
            | Self::Discard { error: text }
            | Self::Cancel { reason: text } => *text = Limits::cut(std::mem::take(text)),
            Self::Complete { .. }
            | Self::Snooze { error: None, .. }
            | Self::Throttle { .. }
            | Self::Release => {}
        }
    }
}

/// The state to which a job goes at the end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transition {
    /// The job succeeded.
    #[non_exhaustive]
    Complete {
        /// The result of the job, if it has one. It is stored in the same step, and has at most the size of a payload.
        #[serde(default)]
        result: Option<StoredResult>,
    },
    /// The job runs again at `at`. The error joins its history.
    Retry {
        /// When, by the backend's clock.
        at: Timestamp,
        /// The error of the attempt.
        error: String,
    },
    /// The job runs again at `at`, and this attempt is not counted.
    Snooze {
        /// When, by the backend's clock.
        at: Timestamp,
        /// Why the job could not run, if there is a reason. It joins the job's history with the number of the uncounted attempt.
        error: Option<String>,
    },
    /// The job runs again at `at`, and this attempt is not counted. Until then, no job of its partition starts.
    Throttle {
        /// When, by the backend's clock.
        at: Timestamp,
    },
    /// The job failed permanently and is kept for inspection.
    Discard {
        /// The error of the attempt.
        error: String,
    },
    /// The job is cancelled.
    Cancel {
        /// The reason.
        reason: String,
    },
    /// The job is released unworked. This attempt is not counted, and the job keeps its place.
    Release,
}

/// Writes the name of the transition, without its details.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The result of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// The settlement and its followups were recorded.
    Applied,
    /// The lease was lost; nothing changed.
    Stale,
    /// An open transaction of an application holds the job, or the unique key of a followup; nothing changed. Settle again later,
    /// for as long as the lease is renewed.
    Blocked,
}

impl Limits {
    /// Checks the results and the followups of a batch of settlements. The number of followups has no limit, since a job cannot
    /// settle in parts.
    ///
    /// # Errors
    ///
    /// `Invalid` for a result that is larger than a payload may be. Otherwise as [`check`](Self::check), apart from the number of
    /// jobs.
    pub fn check_settlements(&self, settlements: &[Settlement]) -> Result<(), QueueError> {
        self.check_results(settlements)?;
        settlements.iter().try_for_each(|settlement| self.check_each(&settlement.followups))
    }

    /// Checks the results of a batch of settlements.
    pub(crate) fn check_results(&self, settlements: &[Settlement]) -> Result<(), QueueError> {
        for Settlement { lease, transition, .. } in settlements {
            let bytes = transition.result().map_or(0, |result| result.as_str().len());
            if bytes > self.payload {
                return Err(QueueError::invalid(format!(
                    "the result of job {} has {bytes} bytes, the limit is {}: store the data elsewhere and return a reference",
                    lease.job, self.payload
                )));
            }
        }
        Ok(())
    }
}
