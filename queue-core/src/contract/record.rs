//! A job as a queue keeps it: its state, its attempts and what went wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::{Meta, NewJob};
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};

/// Where a job is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Waits for its time.
    Scheduled,
    /// Is ready for a worker.
    Available,
    /// Is leased to a worker.
    Executing,
    /// Failed and waits for its next attempt.
    Retryable,
    /// Is done.
    Completed,
    /// Has failed for good.
    Discarded,
    /// Was given up.
    Cancelled,
}

impl State {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Available,
        Self::Executing,
        Self::Retryable,
        Self::Completed,
        Self::Discarded,
        Self::Cancelled,
    ];

    /// Tells whether the job's life is over, unless an operator says otherwise.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Discarded | Self::Cancelled)
    }

    /// Gives the state's name as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Executing => "executing",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A job as it is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobRecord {
    /// The identity.
    pub id: JobId,
    /// The kind of job.
    pub name: JobName,
    /// The queue it is in.
    pub queue: QueueName,
    /// What it carries.
    pub body: Body,
    /// Where it is on its way.
    pub state: State,
    /// Lower runs first.
    pub priority: i32,
    /// Counted attempts so far, a running one included.
    pub attempt: u32,
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// How often it was claimed.
    pub fence: Fence,
    /// When it was stored.
    pub pushed_at: Timestamp,
    /// When it becomes, or became, ready.
    pub run_at: Timestamp,
    /// When it was claimed last.
    pub claimed_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// Its unique key.
    pub unique: Option<String>,
    /// Words that travel with it.
    pub meta: Meta,
    /// What went wrong, oldest first; at most [`AttemptError::KEPT`].
    pub errors: Vec<AttemptError>,
    /// Why it was given up, or is to be.
    pub cancel_reason: Option<String>,
}

impl JobRecord {
    /// Starts a record: available, of the default queue, with nothing else known of it.
    #[must_use]
    pub fn new(id: JobId, name: JobName, body: Body) -> Self {
        Self {
            id,
            name,
            queue: QueueName::DEFAULT,
            body,
            state: State::Available,
            priority: 0,
            attempt: 0,
            max_attempts: NewJob::MAX_ATTEMPTS,
            fence: Fence(0),
            pushed_at: Timestamp::EPOCH,
            run_at: Timestamp::EPOCH,
            claimed_at: None,
            finished_at: None,
            unique: None,
            meta: Meta::new(),
            errors: Vec::new(),
            cancel_reason: None,
        }
    }
}

impl JobRecord {
    /// Lets time pass for a record as it was stored: what is due is available, and an expired lease is void, whether or not
    /// anybody has written that down. For backends, which note such things when they next write.
    #[must_use]
    pub fn as_of(mut self, lease_expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        match (self.state, lease_expires_at) {
            (State::Scheduled | State::Retryable, _) if self.run_at <= now => self.state = State::Available,
            (State::Executing, Some(expired_at)) if expired_at <= now => {
                if self.errors.len() >= AttemptError::KEPT {
                    self.errors.remove(0);
                }
                self.errors.push(AttemptError::lease_expired(self.attempt, self.max_attempts, expired_at));
                self.state =
                    State::after_expiry(self.cancel_reason.is_some(), self.attempt, self.max_attempts);
                self.finished_at = self.state.is_finished().then_some(expired_at);
            }
            _ => {}
        }
        self
    }
}

impl State {
    /// Tells where a job goes whose lease expired.
    #[must_use]
    pub const fn after_expiry(is_to_be_cancelled: bool, attempt: u32, max_attempts: u32) -> Self {
        if is_to_be_cancelled {
            Self::Cancelled
        } else if attempt >= max_attempts {
            Self::Discarded
        } else {
            Self::Available
        }
    }
}

/// What went wrong in one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptError {
    /// The attempt, from 1.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// What it said, causes included.
    pub message: String,
}

impl AttemptError {
    /// Creates the error of an attempt that ended at `at`.
    pub fn new(attempt: u32, at: Timestamp, message: impl Into<String>) -> Self {
        Self { attempt, at, message: message.into() }
    }

    /// How many errors of a job are kept; the newest are.
    pub const KEPT: usize = 20;

    /// What a job's history says of a lease that expired. The attempt ended when its lease did.
    #[must_use]
    pub fn lease_expired(attempt: u32, max_attempts: u32, at: Timestamp) -> Self {
        let message = format!(
            "the lease expired on attempt {attempt} of {max_attempts}: the worker died, or could not renew it in time"
        );
        Self { attempt, at, message }
    }
}
