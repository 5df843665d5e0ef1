//! A job in the table.

use std::sync::Arc;

use super::Slot;
use super::holders::WorkerNumber;
use super::ordered_set::Position;
use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::Meta;
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::OnDiscard;
use crate::contract::progress::JobProgress;
use crate::contract::record::{AttemptError, JobRecord, State};
use crate::contract::result::StoredResult;
use crate::contract::unique::Unique;

/// A job as the table stores it. Rare fields are stored separately, since there may be millions of jobs.
#[derive(Debug)]
pub(in crate::table) struct StoredJob {
    pub(in crate::table) id: JobId,
    /// The number in push order.
    pub(in crate::table) sequence: u64,
    pub(in crate::table) body: Body,
    /// The number of the job's name.
    pub(in crate::table) name: u32,
    /// The number of its queue.
    pub(in crate::table) queue: u32,
    /// The number of its partition in the queue; zero if it names none.
    pub(in crate::table) partition: u32,
    pub(in crate::table) state: State,
    pub(in crate::table) priority: i32,
    pub(in crate::table) attempt: u32,
    pub(in crate::table) max_attempts: u32,
    /// The worker that holds the lease. Meaningless unless the job is executing.
    pub(in crate::table) worker: WorkerNumber,
    pub(in crate::table) fence: Fence,
    pub(in crate::table) pushed_at: Timestamp,
    pub(in crate::table) run_at: Timestamp,
    /// The instant of the last claim. Meaningless while the fence is zero.
    pub(in crate::table) claimed_at: Timestamp,
    /// When the lease expires, if the job is executing; when the job finished, if it is finished.
    pub(in crate::table) state_time: Timestamp,
    pub(in crate::table) extras: Option<Box<Extras>>,
}

#[derive(Debug, Default)]
pub(in crate::table) struct Extras {
    pub(in crate::table) meta: Meta,
    pub(in crate::table) unique: Option<Box<Unique>>,
    pub(in crate::table) errors: Vec<AttemptError>,
    /// Why the job was cancelled, or is to be cancelled.
    pub(in crate::table) cancel_reason: Option<String>,
    /// The result of a completed job.
    pub(in crate::table) result: Option<StoredResult>,
    /// The progress that was reported under the last lease.
    pub(in crate::table) progress: Option<JobProgress>,
    pub(in crate::table) on_discard: Option<Arc<OnDiscard>>,
    /// The default of the last claim: the job to store on a discard, if this job names none.
    pub(in crate::table) default_on_discard: Option<Arc<OnDiscard>>,
}

impl StoredJob {
    /// Returns its position among the ready jobs of its queue.
    #[inline]
    pub(super) fn by_priority(&self, slot: Slot) -> Position {
        Position { priority: self.priority, at: self.run_at, sequence: self.sequence, slot }
    }

    /// Returns its position among the jobs that wait until they are due.
    pub(super) fn by_due_time(&self, slot: Slot) -> Position {
        Position::at(self.run_at, self.sequence, slot)
    }

    /// Returns its position among the executing jobs by expiry, or among the finished jobs.
    #[inline]
    pub(super) fn by_state_time(&self, slot: Slot) -> Position {
        Position::at(self.state_time, self.sequence, slot)
    }

    /// Reads all memory that moving and leasing the job will need, to prefetch its cache lines.
    pub(super) fn prefetch(&self) -> usize {
        self.body.touch() ^ self.sequence as usize ^ self.state_time.as_micros() as usize
    }

    pub(in crate::table) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(in crate::table) fn meta(&self) -> Meta {
        self.extras.as_ref().map(|extras| extras.meta.clone()).unwrap_or_default()
    }

    /// Sets the job to store on a discard if this job names none, for the time of one lease.
    #[inline]
    pub(in crate::table) fn set_default_on_discard(&mut self, default: Option<&Arc<OnDiscard>>) {
        if default.is_some() || self.extras.is_some() {
            self.extras().default_on_discard = default.cloned();
        }
    }

    pub(in crate::table) fn cancel_reason(&self) -> Option<&str> {
        self.extras.as_ref()?.cancel_reason.as_deref()
    }

    pub(in crate::table) fn unique(&self) -> Option<&Unique> {
        self.extras.as_ref()?.unique.as_deref()
    }

    /// Adds an error to the history, and keeps the newest ones.
    pub(in crate::table) fn note_error(&mut self, at: Timestamp, message: String) {
        let attempt = self.attempt;
        let errors = &mut self.extras().errors;
        if errors.len() >= AttemptError::KEPT {
            errors.remove(0);
        }
        errors.push(AttemptError { attempt, at, message });
    }

    pub(in crate::table) fn record(&self, name: &JobName, queue: &QueueName) -> JobRecord {
        let mut record = JobRecord::new(self.id, name.clone(), self.body.clone());
        record.queue = queue.clone();
        record.state = self.state;
        record.priority = self.priority;
        record.attempt = self.attempt;
        record.max_attempts = self.max_attempts;
        record.fence = self.fence;
        record.pushed_at = self.pushed_at;
        record.run_at = self.run_at;
        record.claimed_at = (self.fence > Fence(0)).then_some(self.claimed_at);
        record.lease_expires_at = (self.state == State::Executing).then_some(self.state_time);
        record.finished_at = self.state.is_finished().then_some(self.state_time);
        if let Some(extras) = &self.extras {
            record.meta = extras.meta.clone();
            record.unique = extras.unique.as_ref().map(|unique| unique.key.clone());
            record.errors.clone_from(&extras.errors);
            record.cancel_reason.clone_from(&extras.cancel_reason);
            record.result.clone_from(&extras.result);
            record.progress = extras.progress.clone().filter(|_| self.state == State::Executing);
            record.on_discard.clone_from(&extras.on_discard);
        }
        record
    }
}
