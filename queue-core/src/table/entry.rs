//! A job in the table.

use super::Slot;
use super::index::Place;
use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::Meta;
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::{AttemptError, JobRecord, State};
use crate::contract::unique::Unique;

/// A job as the table stores it. Rare fields are stored separately, since there may be millions of jobs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: JobId,
    /// The number in push order.
    pub(super) sequence: u64,
    pub(super) body: Body,
    /// The number of the job's name.
    pub(super) name: u32,
    pub(super) lane: u32,
    pub(super) state: State,
    pub(super) priority: i32,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) fence: Fence,
    pub(super) pushed_at: Timestamp,
    pub(super) run_at: Timestamp,
    /// The instant of the last claim. Meaningless while the fence is zero.
    pub(super) claimed_at: Timestamp,
    /// When the lease expires, if the job is executing; when the job finished, if it is finished.
    pub(super) stamp: Timestamp,
    pub(super) extras: Option<Box<Extras>>,
}

#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) meta: Meta,
    pub(super) unique: Option<Box<Unique>>,
    pub(super) errors: Vec<AttemptError>,
    /// Why the job was cancelled, or is to be cancelled.
    pub(super) cancel_reason: Option<String>,
}

impl Entry {
    /// Returns its place among the ready jobs of its queue.
    pub(super) fn ready(&self, slot: Slot) -> Place {
        Place { rank: self.priority, at: self.run_at, sequence: self.sequence, slot }
    }

    /// Returns its place among the jobs that wait until they are due.
    pub(super) fn due(&self, slot: Slot) -> Place {
        Place::at(self.run_at, self.sequence, slot)
    }

    /// Returns its place among the executing jobs by expiry, or among the finished jobs.
    pub(super) fn stamped(&self, slot: Slot) -> Place {
        Place::at(self.stamp, self.sequence, slot)
    }

    /// Reads all memory that moving and leasing the job will need, to prefetch its cache lines.
    pub(super) fn touch(&self) -> usize {
        self.body.touch() ^ self.sequence as usize ^ self.stamp.as_micros() as usize
    }

    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(super) fn meta(&self) -> Meta {
        self.extras.as_ref().map(|extras| extras.meta.clone()).unwrap_or_default()
    }

    pub(super) fn cancel_reason(&self) -> Option<&str> {
        self.extras.as_ref()?.cancel_reason.as_deref()
    }

    pub(super) fn unique(&self) -> Option<&Unique> {
        self.extras.as_ref()?.unique.as_deref()
    }

    /// Adds an error to the history, and keeps the newest ones.
    pub(super) fn note_error(&mut self, at: Timestamp, message: String) {
        let attempt = self.attempt;
        let errors = &mut self.extras().errors;
        if errors.len() >= AttemptError::KEPT {
            errors.remove(0);
        }
        errors.push(AttemptError { attempt, at, message });
    }

    pub(super) fn record(&self, name: &JobName, queue: &QueueName) -> JobRecord {
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
        record.finished_at = self.state.is_finished().then_some(self.stamp);
        if let Some(extras) = &self.extras {
            record.meta = extras.meta.clone();
            record.unique = extras.unique.as_ref().map(|unique| unique.key.clone());
            record.errors.clone_from(&extras.errors);
            record.cancel_reason.clone_from(&extras.cancel_reason);
        }
        record
    }
}
