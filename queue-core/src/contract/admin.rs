//! The operator's side: to look at jobs, and to step in.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::name::{JobName, QueueName};
use crate::contract::queue::Queue;
use crate::contract::record::{JobRecord, State};

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
