//! Pushes into the list: identities, delays and unique keys.

use queue_core::backend::{Encoded, Intake, SupportedRequests, check_delays};
use queue_core::{
    JobId, JobRecord, Limits, NewJob, OnConflict, QueueError, Receipt, Schedule, State, Timestamp,
};

use crate::list::{JobList, StoredJob, UniqueKey};

/// Returns the checks of requests. The first version of the contract has no partitions, so jobs that name one are refused.
pub(crate) fn intake() -> Intake {
    Intake::new(Limits::default(), SupportedRequests::V1)
}

impl JobList {
    /// Encodes a batch and checks all of its jobs, so that the batch is stored as a whole or not at all.
    pub(crate) fn check(&self, jobs: Vec<NewJob>) -> Result<Vec<Encoded>, QueueError> {
        let batch = intake().jobs(jobs)?;
        self.check_delays(&batch)?;
        Ok(batch)
    }

    /// Refuses delays that end after the last instant that can be stored.
    pub(crate) fn check_delays(&self, batch: &[Encoded]) -> Result<(), QueueError> {
        check_delays(batch.iter().map(|new| &new.job), self.now)
    }

    /// Returns how many unfinished jobs a batch would add.
    pub(crate) fn growth(&self, batch: &[Encoded]) -> usize {
        let mut trial = self.clone();
        trial.store(batch.to_vec());
        trial.unfinished() - self.unfinished()
    }

    pub(crate) fn store(&mut self, batch: Vec<Encoded>) -> Vec<Receipt> {
        batch.into_iter().map(|new| self.store_one(new)).collect()
    }

    fn store_one(&mut self, Encoded { id, job, .. }: Encoded) -> Receipt {
        if self.find(id).is_some() {
            return Receipt::Stored(id);
        }
        let now = self.now;
        let run_at = match job.schedule {
            Schedule::After(delay) => now.saturating_add(delay),
            Schedule::At(at) => at,
            _ => now,
        };
        if let Some(unique) = &job.unique
            && let Some(owner) = self.key_owner(job.name.as_str(), &unique.key)
        {
            let owner_id = owner.record.id;
            if unique.on_conflict == OnConflict::Keep {
                return Receipt::Existing(owner_id);
            }
            let has_started = owner.record.attempt > 0 || owner.record.state.is_finished();
            if !has_started {
                owner.record.body = job.body;
                owner.record.priority = job.priority;
                owner.schedule(run_at, State::Scheduled, now);
                return Receipt::Replaced(owner_id);
            }
            // The new job follows the one that has started.
            owner.release_key();
        }
        let stored = self.stored_job(id, job, run_at);
        self.jobs.push(stored);
        Receipt::Stored(id)
    }

    fn stored_job(&mut self, id: JobId, job: NewJob, run_at: Timestamp) -> StoredJob {
        let now = self.now;
        let mut record = JobRecord::new(id, job.name, job.body);
        record.queue = job.queue;
        record.priority = job.priority;
        record.max_attempts = job.max_attempts;
        record.meta = job.meta;
        record.on_discard = job.on_discard;
        record.pushed_at = now;
        record.unique = job.unique.as_ref().map(|unique| unique.key.clone());
        let key = job.unique.map(|unique| {
            let until = unique.window.map_or(now, |window| now.saturating_add(window));
            UniqueKey { text: unique.key, is_owned: true, until }
        });
        self.last_position += 1;
        let mut stored =
            StoredJob { position: self.last_position, record, expires_at: now, key, on_discard: None };
        stored.schedule(run_at, State::Scheduled, now);
        stored
    }

    /// Returns the job that owns a unique key: an unfinished one, or one within its uniqueness window.
    pub(crate) fn key_owner(&mut self, name: &str, text: &str) -> Option<&mut StoredJob> {
        let now = self.now;
        self.jobs.iter_mut().find(|job| {
            let is_unfinished = !job.record.state.is_finished();
            let owns =
                |key: &UniqueKey| key.is_owned && key.text == text && (is_unfinished || key.until > now);
            job.record.name == *name && job.key.as_ref().is_some_and(owns)
        })
    }

    /// Returns its key to a finished job that runs again, unless another job owns the key.
    pub(crate) fn take_key_back(&mut self, id: JobId) -> Result<(), QueueError> {
        let Some(job) = self.find(id) else { return Ok(()) };
        let (name, Some(text)) = (job.record.name.clone(), job.record.unique.clone()) else { return Ok(()) };
        if self.key_owner(name.as_str(), &text).is_some_and(|owner| owner.record.id != id) {
            return Err(QueueError::conflict(format!("another job owns the unique key of job {id}")));
        }
        if let Some(key) = self.find(id).and_then(|job| job.key.as_mut()) {
            key.is_owned = true;
        }
        Ok(())
    }
}
