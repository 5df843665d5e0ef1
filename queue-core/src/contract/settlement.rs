//! How the end of an attempt is recorded.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::job::NewJob;
use crate::contract::lease::Lease;
use crate::contract::limits::Limits;

/// The end of an attempt, handed to [`Queue::settle`](crate::Queue::settle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The right under which the attempt ran.
    pub lease: Lease,
    /// Which state the job goes to.
    pub transition: Transition,
    /// Jobs that are stored in the same atomic step, if and only if the transition applies.
    pub followups: Vec<NewJob>,
}

impl Settlement {
    /// Makes a settlement without followups.
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
    /// Returns the name of the transition, without its details: a label for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::Discard { .. } => "discard",
            Self::Cancel { .. } => "cancel",
            Self::Release => "release",
        }
    }

    /// Cuts its error or its reason as [`Limits::cut`] does, if it has one. Every queue does this before it stores them.
    pub fn cut_text(&mut self) {
        match self {
            Self::Retry { error: text, .. }
            | Self::Snooze { error: Some(text), .. }
            | Self::Discard { error: text }
            | Self::Cancel { reason: text } => *text = Limits::cut(std::mem::take(text)),
            Self::Complete | Self::Snooze { error: None, .. } | Self::Release => {}
        }
    }
}

/// Which state a job goes to at the end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transition {
    /// It is done.
    Complete,
    /// It is tried again at `at`; the error joins its history.
    Retry {
        /// When, by the backend's clock.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It is run again at `at`, and this attempt is not counted.
    Snooze {
        /// When, by the backend's clock.
        at: Timestamp,
        /// What stood in the way, if anything did; it joins the job's history with the number of the attempt that was not counted.
        error: Option<String>,
    },
    /// It has failed for good and is kept for inspection.
    Discard {
        /// What went wrong.
        error: String,
    },
    /// It is given up.
    Cancel {
        /// Why.
        reason: String,
    },
    /// It is given back unworked; this attempt is not counted and it keeps its place.
    Release,
}

/// Writes the name of the transition, without its details.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// It was recorded, followups and all.
    Applied,
    /// Its lease had been lost: nothing changed.
    Stale,
    /// An open transaction of an application holds the job, or the unique key of a followup: nothing changed. Settle it again
    /// in a while, for as long as the lease is renewed.
    Blocked,
}

impl Limits {
    /// Checks the followups of a batch of settlements. Their number has no limit, since a job can't settle in parts.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), apart from the number of jobs.
    pub fn check_followups(&self, settlements: &[Settlement]) -> Result<(), QueueError> {
        settlements.iter().try_for_each(|settlement| self.check_each(&settlement.followups))
    }
}
