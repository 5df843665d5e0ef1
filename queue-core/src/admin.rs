//! The operator's side: to look at jobs, and to step in.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::clock::Timestamp;
use crate::error::QueueError;
use crate::job::{JobId, Meta};
use crate::lease::Fence;
use crate::name::{JobName, QueueName};
use crate::queue::Queue;

/// Shows what a queue holds, and lets an operator step in.
///
/// Dashboards, command lines and the testkit's assertions stand on this alone.
/// A method for one job fails with [`NotFound`](crate::QueueErrorKind::NotFound) if the queue does not have that job.
#[async_trait]
pub trait Admin: Queue {
    /// Shows one job; `None` if the queue doesn't know it (any more).
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError>;

    /// Shows a page of the jobs that pass the filter, in push order.
    ///
    /// Going from page to page neither misses nor repeats a job that was there throughout.
    ///
    /// # Errors
    ///
    /// `Invalid` if the page's cursor is not one that this queue returned.
    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError>;

    /// Counts the jobs of each queue by state; exact at rest.
    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError>;

    /// Cancels a waiting job at once, and asks for the end of an executing one.
    ///
    /// An executing job learns of it at its next renewal. If it completes or is discarded all the same, that stands;
    /// any end that would have it run again, a lost lease included, leaves it cancelled.
    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError>;

    /// Makes a finished job available again, with at least one attempt left, and a waiting one available now.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing, or if another unfinished job holds its unique key now.
    async fn retry(&self, id: JobId) -> Result<(), QueueError>;

    /// Removes a job.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing.
    async fn delete(&self, id: JobId) -> Result<(), QueueError>;

    /// Stops deliveries from a queue. Pushes go on, and so do running jobs.
    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError>;

    /// Takes deliveries up again and wakes those who wait.
    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError>;

    /// Removes finished jobs by age, at most `prune.limit` of them, and tells how many.
    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError>;
}

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
            max_attempts: crate::job::JobOptions::MAX_ATTEMPTS,
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

/// Which jobs to list. Nothing set means all.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Only of this queue.
    pub queue: Option<QueueName>,
    /// Only in one of these states; empty means any.
    pub states: Vec<State>,
    /// Only of this kind.
    pub name: Option<JobName>,
    /// Only pushed before this instant.
    pub pushed_before: Option<Timestamp>,
}

impl Filter {
    /// Lets every job pass.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Lets only jobs of this queue pass.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Lets jobs in this state pass, and in those added before.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.states.push(state);
        self
    }

    /// Lets only jobs of this kind pass.
    #[must_use]
    pub fn name(mut self, name: impl Into<JobName>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets only jobs pushed before this instant pass.
    #[must_use]
    pub fn pushed_before(mut self, instant: Timestamp) -> Self {
        self.pushed_before = Some(instant);
        self
    }

    /// Lets only unfinished jobs pass.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.states.extend(State::ALL.into_iter().filter(|state| !state.is_finished()));
        self
    }
}

/// Which part of a listing to show.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PageRequest {
    /// Where the last page ended.
    pub after: Option<Cursor>,
    /// How many jobs at most.
    pub limit: usize,
}

impl PageRequest {
    /// Shows the first jobs.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// Shows those that follow a page.
    #[must_use]
    pub const fn after(cursor: Cursor, limit: usize) -> Self {
        Self { after: Some(cursor), limit }
    }
}

/// Where a page ended: text that only the backend that returned it understands.
///
/// Pass it on as it is, in a link or a command line for example.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Creates a cursor from the text of one, or a backend's own from a text of its choice.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the position in push order that [`JobPage::of`] stored.
    ///
    /// # Errors
    ///
    /// `Invalid` if the text is not such a position.
    pub fn position(&self) -> Result<u64, QueueError> {
        let unreadable = |_| {
            let text = format!(
                "`{}` is not a cursor of this queue: use the one that the page before returned",
                self.0
            );
            QueueError::invalid(text)
        };
        self.0.parse().map_err(unreadable)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A page of jobs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, in push order.
    pub jobs: Vec<JobRecord>,
    /// Where the next page starts, if there may be one.
    pub next: Option<Cursor>,
}

impl JobPage {
    /// Creates a page; `next` is the cursor of a backend's own.
    #[must_use]
    pub const fn new(jobs: Vec<JobRecord>, next: Option<Cursor>) -> Self {
        Self { jobs, next }
    }

    /// Creates the page of a backend that numbers its jobs in push order.
    ///
    /// `found` has the jobs after the last page, each with its number, and one more than `limit` if there are more.
    #[must_use]
    pub fn of(mut found: Vec<(u64, JobRecord)>, limit: usize) -> Self {
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|(position, _)| Cursor::new(position.to_string()));
        Self { jobs: found.into_iter().map(|(_, job)| job).collect(), next }
    }
}

/// How many jobs of a queue are in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// The queue.
    pub queue: QueueName,
    /// Whether it is paused.
    pub paused: bool,
    counts: [u64; State::ALL.len()],
}

impl QueueCounts {
    /// Starts at zero for every state.
    #[must_use]
    pub const fn new(queue: QueueName, paused: bool) -> Self {
        Self { queue, paused, counts: [0; State::ALL.len()] }
    }

    /// Tells how many jobs are in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.counts.get(state as usize).copied().unwrap_or_default()
    }

    /// Sets how many jobs are in a state.
    pub fn set(&mut self, state: State, count: u64) {
        if let Some(slot) = self.counts.get_mut(state as usize) {
            *slot = count;
        }
    }

    /// Tells how many jobs are unfinished.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        State::ALL.into_iter().filter(|state| !state.is_finished()).map(|state| self.of(state)).sum()
    }
}

/// What became of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// The job was waiting and is cancelled.
    Cancelled,
    /// The job is executing and learns of it at its next renewal.
    Requested,
    /// The job had finished before; nothing changed.
    Finished,
}

/// Which finished jobs to remove. A state without an age is left alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prune {
    /// Removes completed jobs that finished at least so long ago.
    pub completed: Option<Duration>,
    /// Removes discarded jobs that finished at least so long ago.
    pub discarded: Option<Duration>,
    /// Removes cancelled jobs that finished at least so long ago.
    pub cancelled: Option<Duration>,
    /// How many jobs at most, the longest finished first.
    pub limit: usize,
}

impl Prune {
    /// Removes finished jobs of every state that are at least this old, 1,000 of them at most.
    #[must_use]
    pub const fn older_than(age: Duration) -> Self {
        Self { completed: Some(age), discarded: Some(age), cancelled: Some(age), limit: 1000 }
    }

    /// Removes nothing, until ages are set.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { completed: None, discarded: None, cancelled: None, limit: 1000 }
    }

    /// Tells the age for a state; `None` for those that stay.
    #[must_use]
    pub const fn age(&self, state: State) -> Option<Duration> {
        match state {
            State::Completed => self.completed,
            State::Discarded => self.discarded,
            State::Cancelled => self.cancelled,
            State::Scheduled | State::Available | State::Executing | State::Retryable => None,
        }
    }
}
