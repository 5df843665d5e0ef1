//! A pushed job.

use queue_core::{Fence, JobId, NewJob, Partition, QueueName, Receipt, Schedule, Timestamp};
use serde::{Deserialize, Serialize};

use super::outcome::KnownOutcome;
use super::span::Span;

/// One job of a push, or one followup of a settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The job.
    pub job: JobId,
    /// The first job of its batch, which identifies the batch.
    pub batch: JobId,
    /// Its index in the batch, from 0.
    pub place: usize,
    /// The queue it goes to.
    pub queue: QueueName,
    /// Its partition.
    #[serde(default)]
    pub partition: Partition,
    /// The priority: lower runs first.
    pub priority: i32,
    /// When it becomes ready.
    pub schedule: Schedule,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// Whether the job has a unique key, and so may be refused because the key is taken.
    pub is_unique: bool,
    /// The lease whose settlement pushed the job as a followup.
    pub follows: Option<(JobId, Fence)>,
    /// Whether the job was stored.
    pub outcome: KnownOutcome,
}

impl Pushed {
    /// Creates the record of a job that is pushed alone, with the defaults of a new job and without an answer yet.
    #[must_use]
    pub const fn new(job: JobId) -> Self {
        Self {
            job,
            batch: job,
            place: 0,
            queue: QueueName::DEFAULT,
            partition: Partition::NONE,
            priority: 0,
            schedule: Schedule::Now,
            max_attempts: NewJob::MAX_ATTEMPTS,
            is_unique: false,
            follows: None,
            outcome: KnownOutcome::Unknown,
        }
    }

    /// Creates the records of a batch, without an answer yet.
    ///
    /// Jobs without an id chosen by the caller are left out, because their ids are not known before the answer.
    /// Jobs that replace another one are not supported.
    #[must_use]
    pub fn batch(jobs: &[NewJob]) -> Vec<Self> {
        let identified = || jobs.iter().enumerate().filter_map(|(place, job)| Some((place, job, job.id?)));
        let Some((_, _, batch)) = identified().next() else { return Vec::new() };
        identified().map(|(place, job, id)| Self { batch, place, ..Self::of(job, id) }).collect()
    }

    fn of(job: &NewJob, id: JobId) -> Self {
        Self {
            queue: job.queue.clone(),
            partition: job.partition.clone(),
            priority: job.priority,
            schedule: job.schedule,
            max_attempts: job.max_attempts,
            is_unique: job.unique.is_some(),
            ..Self::new(id)
        }
    }

    /// Records the receipt. A job whose unique key was taken is not stored.
    #[must_use]
    pub fn received(mut self, receipt: Receipt) -> Self {
        self.outcome =
            if receipt == Receipt::Stored(self.job) { KnownOutcome::Applied } else { KnownOutcome::Refused };
        self
    }

    /// Returns the earliest instant at which the job can have become ready.
    pub(super) fn earliest(&self, span: &Span) -> Timestamp {
        self.ready_at(span.start.queue_time)
    }

    /// Returns the latest instant at which the job can have become ready.
    pub(super) fn latest(&self, span: &Span) -> Timestamp {
        self.ready_at(span.latest())
    }

    fn ready_at(&self, stored_at: Timestamp) -> Timestamp {
        match self.schedule {
            Schedule::Now => stored_at,
            Schedule::After(delay) => stored_at.saturating_add(delay),
            Schedule::At(at) => at.max(stored_at),
            other => panic!("a history can't tell when a job with the schedule {other:?} is ready"),
        }
    }
}
