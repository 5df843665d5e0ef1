//! The operations of operators.

use super::{JobTable, QueueState, Slot};
use crate::contract::admin::{Cancellation, Prune, QueueCounts};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::limits::Limits;
use crate::contract::name::QueueName;
use crate::contract::record::{JobRecord, State};

impl JobTable {
    /// Returns one job.
    pub fn get(&mut self, now: Timestamp, id: JobId) -> Option<JobRecord> {
        self.advance(now);
        self.store.find(id).map(|slot| self.record(slot))
    }

    /// Counts jobs by queue and state.
    pub fn counts(&mut self, now: Timestamp) -> Vec<QueueCounts> {
        self.advance(now);
        let used = self.store.queues().iter().filter(|queue| queue.is_used);
        let mut counts: Vec<_> = used.map(QueueState::counts).collect();
        counts.sort_by(|a, b| a.queue.cmp(&b.queue));
        counts
    }

    /// Cancels a waiting job, or asks an executing job to stop.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such job.
    pub fn cancel(&mut self, now: Timestamp, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let job = &mut self.store[slot];
        if job.state.is_finished() {
            return Ok(Cancellation::Finished);
        }
        job.extras().cancel_reason = Some(Limits::cut(reason.to_owned()));
        if job.state == State::Executing {
            return Ok(Cancellation::Requested);
        }
        self.finish(slot, State::Cancelled);
        Ok(Cancellation::Cancelled)
    }

    /// Moves a finished or waiting job to the available state, with at least one attempt left.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing or another job holds its unique key; `NotFound` if there is no such job.
    pub fn retry(&mut self, now: Timestamp, id: JobId) -> Result<(), QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let job = &self.store[slot];
        if job.state == State::Executing {
            return Err(QueueError::executing_job(id));
        }
        let was_finished = job.state.is_finished();
        if was_finished {
            self.take_key_back(slot)?;
            self.unfinished += 1;
        }
        let job = &mut self.store[slot];
        job.max_attempts = job.max_attempts.max(job.attempt.saturating_add(1));
        if let Some(extras) = &mut job.extras {
            extras.cancel_reason = None;
            extras.result = None;
        }
        self.wait_until(slot, now, State::Scheduled);
        Ok(())
    }

    /// Deletes a job.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing; `NotFound` if there is no such job.
    pub fn delete(&mut self, now: Timestamp, id: JobId) -> Result<(), QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let job = &self.store[slot];
        if job.state == State::Executing {
            return Err(QueueError::executing_job(id));
        }
        if let Some(unique) = job.unique() {
            self.unique.release(self.store.name_of(job), unique, id);
        }
        self.remove(slot);
        Ok(())
    }

    /// Stops deliveries from a queue.
    pub fn pause(&mut self, queue: &QueueName) {
        self.set_paused(queue, true);
    }

    /// Resumes deliveries from a queue.
    pub fn resume(&mut self, queue: &QueueName) {
        self.set_paused(queue, false);
    }

    /// Deletes finished jobs by age, at most `prune.limit` of them. Returns the number of deleted jobs.
    pub fn prune(&mut self, now: Timestamp, prune: &Prune) -> u64 {
        self.advance(now);
        self.prune_finished(prune)
    }

    fn set_paused(&mut self, queue: &QueueName, paused: bool) {
        let number = self.store.queue_number(queue);
        self.store.set_paused(number, paused);
    }

    /// Takes the unique key again for a finished job that will run again.
    fn take_key_back(&mut self, slot: Slot) -> Result<(), QueueError> {
        let job = &self.store[slot];
        let Some(unique) = job.unique() else {
            return Ok(());
        };
        let name = self.store.name_of(job);
        match self.unique.holder(name, unique) {
            Some(holder) if holder != job.id => Err(QueueError::unique_key_taken(job.id, holder)),
            Some(_) | None => {
                self.unique.hold(name, unique, job.id, job.pushed_at);
                Ok(())
            }
        }
    }

    fn known(&self, id: JobId) -> Result<Slot, QueueError> {
        self.store.find(id).ok_or_else(|| QueueError::unknown_job(id))
    }
}
