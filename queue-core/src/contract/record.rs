//! A job as a queue stores it: its state, its attempts and their errors.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::{Meta, NewJob};
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::OnDiscard;
use crate::contract::partition::Partition;
use crate::contract::progress::JobProgress;
use crate::contract::result::{StoredResult, as_json};
use crate::contract::worker_id::WorkerId;

/// The state of a job.
///
/// ```
/// use queue_core::State;
///
/// assert_eq!(State::Retryable.to_string(), "retryable");
/// assert!(State::Discarded.is_finished());
/// assert_eq!(State::ALL.iter().filter(|state| state.is_finished()).count(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Waits until its `run_at`.
    Scheduled,
    /// Is ready to be claimed.
    Available,
    /// Is leased to a worker.
    Executing,
    /// Failed and waits for its next attempt.
    Retryable,
    /// Succeeded.
    Completed,
    /// Failed permanently.
    Discarded,
    /// Was cancelled.
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

    /// Returns whether a job in this state never runs again unless an operator retries it.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Discarded | Self::Cancelled)
    }

    /// Returns the state's name, as it is stored and shown.
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
///
/// It serializes for dashboards and command lines, with the names and forms of [`export`](Self::export): times are microseconds
/// since the Unix epoch, and the body is the JSON of the `payload`, or null for a closure. The payload, the meta and the errors may
/// be private.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobRecord {
    /// The identity.
    pub id: JobId,
    /// The kind of job.
    pub name: JobName,
    /// The queue it is in.
    pub queue: QueueName,
    /// The part of the queue to which it belongs.
    pub partition: Partition,
    /// The body.
    #[serde(rename = "payload")]
    pub body: Body,
    /// The state.
    pub state: State,
    /// The priority; lower runs first.
    pub priority: i32,
    /// The number of counted attempts so far, including a running one.
    pub attempt: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// How many times the job was claimed.
    pub fence: Fence,
    /// When it was stored.
    pub pushed_at: Timestamp,
    /// When it becomes or became ready.
    pub run_at: Timestamp,
    /// When it was claimed last.
    pub claimed_at: Option<Timestamp>,
    /// The worker that holds its lease, if its claim named one.
    pub claimed_by: Option<WorkerId>,
    /// When its lease expires, if the job is executing.
    pub lease_expires_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// Its unique key.
    pub unique: Option<String>,
    /// Until when it holds its unique key, even if it finishes earlier. An unfinished job holds it in any case. `None` if it does
    /// not hold its key: a later job has taken the key over, or it has finished and its window is over.
    pub unique_until: Option<Timestamp>,
    /// The meta.
    pub meta: Meta,
    /// The errors of its attempts, oldest first; at most [`AttemptError::KEPT`].
    pub errors: Vec<AttemptError>,
    /// Why it was cancelled, or is to be cancelled.
    pub cancel_reason: Option<String>,
    /// The job to store if this one is discarded, as it was pushed.
    #[serde(serialize_with = "serialize_on_discard")]
    pub on_discard: Option<Arc<OnDiscard>>,
    /// The result, if it completed with one.
    #[serde(serialize_with = "as_json")]
    pub result: Option<StoredResult>,
    /// The latest progress that a running job has reported: at most as old as its worker's last renewal.
    pub progress: Option<JobProgress>,
}

/// Serializes what is behind the `Arc`.
fn serialize_on_discard<S: Serializer>(
    on_discard: &Option<Arc<OnDiscard>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    on_discard.as_deref().serialize(serializer)
}

impl JobRecord {
    /// Creates a record that is available in the default queue, with every other field empty.
    #[must_use]
    pub fn new(id: JobId, name: JobName, body: Body) -> Self {
        Self {
            id,
            name,
            queue: QueueName::DEFAULT,
            partition: Partition::NONE,
            body,
            state: State::Available,
            priority: 0,
            attempt: 0,
            max_attempts: NewJob::MAX_ATTEMPTS,
            fence: Fence(0),
            pushed_at: Timestamp::EPOCH,
            run_at: Timestamp::EPOCH,
            claimed_at: None,
            claimed_by: None,
            lease_expires_at: None,
            finished_at: None,
            unique: None,
            unique_until: None,
            meta: Meta::new(),
            errors: Vec::new(),
            cancel_reason: None,
            on_discard: None,
            result: None,
            progress: None,
        }
    }
}

impl JobRecord {
    /// Returns the record as of `now`: a due job is available, an executing one has the end of its lease, and an expired lease is
    /// void, even if the backend has not stored that yet. The window of a finished job is over if it has ended. For backends that
    /// store such changes with their next write.
    #[must_use]
    pub fn as_of(mut self, lease_expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        self.lease_expires_at = lease_expires_at.filter(|end| self.state == State::Executing && *end > now);
        self.claimed_by = self.claimed_by.filter(|_| self.lease_expires_at.is_some());
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
                self.progress = None;
            }
            (State::Executing, _) => self.lease_expires_at = lease_expires_at,
            _ => {}
        }
        self.unique_until = self.unique_until.filter(|until| !self.state.is_finished() || *until > now);
        self
    }
}

impl State {
    /// Returns the state to which a job goes when its lease expires.
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

/// Returns whether a wait for the end of these jobs is over: one of them has ended or is gone, or there is none.
#[must_use]
pub fn has_ended(jobs: &[Option<JobRecord>]) -> bool {
    jobs.is_empty() || jobs.iter().any(|job| job.as_ref().is_none_or(|job| job.state.is_finished()))
}

/// The error of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptError {
    /// The attempt, from 1.
    pub attempt: u32,
    /// When the attempt ended.
    pub at: Timestamp,
    /// The message, including its causes.
    pub message: String,
}

impl AttemptError {
    /// Creates the error of an attempt that ended at `at`.
    pub fn new(attempt: u32, at: Timestamp, message: impl Into<String>) -> Self {
        Self { attempt, at, message: message.into() }
    }

    /// How many errors are kept for each job: the newest.
    pub const KEPT: usize = 20;

    /// Creates the error of a lease that expired at `at`, which is also the end of the attempt.
    #[must_use]
    pub fn lease_expired(attempt: u32, max_attempts: u32, at: Timestamp) -> Self {
        let message = format!(
            "the lease expired on attempt {attempt} of {max_attempts}: the worker died, or could not renew it in time"
        );
        Self { attempt, at, message }
    }
}
