//! A job as the board shows it. HTML and JSON are written from it, so a hidden field is hidden in both.

use queue_core::admin::AttemptError;
use queue_core::{JobId, JobName, JobProgress, JobRecord, Partition, QueueName, State, Timestamp, WorkerId};
use serde::Serialize;

use crate::privacy::{Privacy, PrivateField, Shown};

/// A job, with its private fields as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct JobView {
    pub(crate) id: JobId,
    pub(crate) name: JobName,
    pub(crate) queue: QueueName,
    pub(crate) partition: Partition,
    pub(crate) state: State,
    pub(crate) priority: i32,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) pushed_at: Timestamp,
    pub(crate) run_at: Timestamp,
    pub(crate) claimed_at: Option<Timestamp>,
    pub(crate) claimed_by: Option<WorkerId>,
    pub(crate) lease_expires_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) progress: Option<JobProgress>,
    pub(crate) errors: Vec<AttemptError>,
    pub(crate) payload: Shown,
    pub(crate) is_closure: bool,
    pub(crate) result: Option<Shown>,
    pub(crate) unique: Option<Shown>,
    pub(crate) meta: Vec<(String, Shown)>,
}

impl JobView {
    pub(crate) fn new(job: &JobRecord, privacy: &Privacy) -> Self {
        let shown = privacy.with_messages(job);
        let meta =
            |(key, value): (&str, &str)| (key.to_owned(), privacy.show(job, PrivateField::Meta(key), value));
        let note = |progress: &JobProgress| {
            JobProgress::new(progress.percent(), privacy.message(job, progress.note()))
        };
        Self {
            id: job.id,
            name: job.name.clone(),
            queue: job.queue.clone(),
            partition: job.partition.clone(),
            state: job.state,
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            pushed_at: job.pushed_at,
            run_at: job.run_at,
            claimed_at: job.claimed_at,
            claimed_by: job.claimed_by.clone(),
            lease_expires_at: job.lease_expires_at,
            finished_at: job.finished_at,
            cancel_reason: shown.cancel_reason,
            progress: job.progress.as_ref().map(note),
            errors: shown.errors,
            payload: privacy.payload(job),
            is_closure: job.body.is_closure(),
            result: job
                .result
                .as_ref()
                .map(|result| privacy.show(job, PrivateField::Result, result.as_str())),
            unique: job.unique.as_ref().map(|key| privacy.show(job, PrivateField::UniqueKey, key)),
            meta: job.meta.iter().map(meta).collect(),
        }
    }

    /// Returns the most relevant time of the job in its state: its end, its start, or when it is or was due.
    pub(crate) fn latest(&self) -> (&'static str, Timestamp) {
        match self.state {
            State::Completed => ("completed", self.finished_at.unwrap_or(self.pushed_at)),
            State::Discarded => ("discarded", self.finished_at.unwrap_or(self.pushed_at)),
            State::Cancelled => ("cancelled", self.finished_at.unwrap_or(self.pushed_at)),
            State::Executing => ("started", self.claimed_at.unwrap_or(self.run_at)),
            State::Retryable => ("retries", self.run_at),
            State::Scheduled => ("due", self.run_at),
            _ => ("ready", self.run_at),
        }
    }
}
