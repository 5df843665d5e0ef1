//! A job that somebody pushed.

use queue_core::{Fence, JobId, NewJob, QueueName, Receipt, Schedule, Timestamp};
use serde::{Deserialize, Serialize};

use super::outcome::KnownOutcome;
use super::span::Span;

/// One job of a push, or one followup of a settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The job.
    pub job: JobId,
    /// The first job of its batch, by which the batch is known.
    pub batch: JobId,
    /// Its place in the batch, from 0.
    pub place: usize,
    /// The queue it goes to.
    pub queue: QueueName,
    /// Lower runs first.
    pub priority: i32,
    /// When it becomes ready.
    pub schedule: Schedule,
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// Whether it may go unstored because its unique key is taken.
    pub is_unique: bool,
    /// The lease whose settlement it is a followup of.
    pub follows: Option<(JobId, Fence)>,
    /// Whether it was stored.
    pub outcome: KnownOutcome,
}

impl Pushed {
    /// Notes a job that is pushed alone, with the defaults of a new job, and of which no answer has come yet.
    #[must_use]
    pub const fn new(job: JobId) -> Self {
        Self {
            job,
            batch: job,
            place: 0,
            queue: QueueName::DEFAULT,
            priority: 0,
            schedule: Schedule::Now,
            max_attempts: NewJob::MAX_ATTEMPTS,
            is_unique: false,
            follows: None,
            outcome: KnownOutcome::Unknown,
        }
    }

    /// Notes a batch, of which no answer has come yet.
    ///
    /// Jobs without an identity of their own are left out: nobody could tell which of those that are stored they are.
    /// A job that replaces another one has no place in a history.
    #[must_use]
    pub fn batch(jobs: &[NewJob]) -> Vec<Self> {
        let identified = || jobs.iter().enumerate().filter_map(|(place, job)| Some((place, job, job.id?)));
        let Some((_, _, batch)) = identified().next() else { return Vec::new() };
        identified().map(|(place, job, id)| Self { batch, place, ..Self::of(job, id) }).collect()
    }

    fn of(job: &NewJob, id: JobId) -> Self {
        Self {
            queue: job.queue.clone(),
            priority: job.priority,
            schedule: job.schedule,
            max_attempts: job.max_attempts,
            is_unique: job.unique.is_some(),
            ..Self::new(id)
        }
    }

    /// Notes what its receipt said: a job whose unique key was taken is not stored.
    #[must_use]
    pub fn received(mut self, receipt: Receipt) -> Self {
        self.outcome =
            if receipt == Receipt::Stored(self.job) { KnownOutcome::Applied } else { KnownOutcome::Refused };
        self
    }

    /// The earliest instant at which it can have become ready.
    pub(super) fn earliest(&self, span: &Span) -> Timestamp {
        self.ready_at(span.start.queue_time)
    }

    /// The latest instant at which it can have become ready.
    pub(super) fn latest(&self, span: &Span) -> Timestamp {
        self.ready_at(span.latest())
    }

    fn ready_at(&self, stored_at: Timestamp) -> Timestamp {
        match self.schedule {
            Schedule::Now => stored_at,
            Schedule::After(delay) => stored_at.saturating_add(delay),
            Schedule::At(at) => at.max(stored_at),
            other => panic!("no history says when a job is ready that was scheduled by {other:?}"),
        }
    }
}
