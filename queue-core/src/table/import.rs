//! Stores jobs as they were in another store.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::import::{Imported, JobPast, parts};
use crate::contract::job::NewJob;
use crate::contract::record::{JobRecord, State};

impl JobTable {
    /// Imports a batch, all of it or nothing.
    ///
    /// # Errors
    ///
    /// `Invalid` if a job is executing or finished, or exceeds a limit.
    pub fn import(&mut self, now: Timestamp, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let (jobs, pasts) = parts(jobs, &self.config.limits)?;
        self.advance(now);
        let jobs = ids.into_iter().zip(jobs).zip(pasts);
        Ok(jobs.map(|((id, job), past)| self.import_one(id, job, past)).collect())
    }

    fn import_one(&mut self, id: JobId, job: NewJob, past: JobPast) -> Imported {
        if self.store.find(id).is_some() {
            return Imported::Present;
        }
        let key = job.unique.as_ref().filter(|_| past.holds_key);
        if let Some(holder) = key.and_then(|unique| self.unique.holder(&job.name, unique)) {
            return Imported::KeyHeld(holder);
        }
        let holds_key = past.holds_key;
        let slot = self.insert_with_past(id, job, past);
        let stored = &self.store[slot];
        if let Some(unique) = stored.unique().filter(|_| holds_key) {
            self.unique.hold(self.store.name_of(stored), unique, id, stored.pushed_at);
        }
        Imported::Stored
    }

    fn insert_with_past(&mut self, id: JobId, job: NewJob, past: JobPast) -> Slot {
        self.sequence += 1;
        self.is_outdated = true;
        let mut stored = self.stored_job(job, id, self.sequence, past.pushed_at);
        stored.attempt = past.attempt;
        stored.fence = past.fence;
        stored.run_at = past.run_at;
        stored.claimed_at = past.claimed_at.unwrap_or(Timestamp::EPOCH);
        if !past.errors.is_empty() {
            stored.extras().errors = past.errors;
        }
        let slot = self.store.insert(stored, true);
        self.unfinished += 1;
        let is_due = past.run_at <= self.now;
        self.store.link(slot, if is_due { State::Available } else { past.waiting });
        slot
    }

    /// Returns a job with the time until which it holds its key.
    pub(super) fn record(&self, slot: Slot) -> JobRecord {
        let mut record = self.store.record(slot);
        let job = &self.store[slot];
        let held = job.unique().and_then(|unique| self.unique.held_until(&record.name, unique, job.id));
        record.unique_until = held;
        record
    }
}
