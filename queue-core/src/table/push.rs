//! Stores jobs.

use std::sync::Arc;

use super::store::{Extras, StoredJob};
use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::delay::check_delays;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::{NewJob, Schedule};
use crate::contract::lease::Fence;
use crate::contract::on_discard::OnDiscard;
use crate::contract::queue::Receipt;
use crate::contract::record::State;
use crate::contract::unique::Unique;

impl JobTable {
    /// Stores a batch, all of it or nothing.
    ///
    /// # Errors
    ///
    /// `Invalid` if a job exceeds a limit or the batch is larger than the bound; `Full` if there is no capacity now.
    pub fn push(&mut self, now: Timestamp, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check(now, &jobs)?;
        Ok(jobs.into_iter().map(|job| self.store(job)).collect())
    }

    /// Stores one job, without the lists that a batch needs.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn push_one(&mut self, now: Timestamp, job: NewJob) -> Result<Receipt, QueueError> {
        self.check(now, std::slice::from_ref(&job))?;
        Ok(self.store(job))
    }

    fn check(&mut self, now: Timestamp, jobs: &[NewJob]) -> Result<(), QueueError> {
        self.config.limits.check(jobs)?;
        self.advance(now);
        check_delays(jobs, self.now)?;
        self.check_capacity(now, jobs)
    }

    /// Stores one checked job, unless its identity or its unique key is taken.
    #[inline]
    pub(super) fn store(&mut self, job: NewJob) -> Receipt {
        if let Some(id) = job.id.filter(|id| self.store.find(*id).is_some()) {
            return Receipt::Stored(id);
        }
        if let Some(holder) = job.unique.as_ref().and_then(|unique| self.unique.holder(&job.name, unique)) {
            if !job.replaces() {
                return Receipt::Existing(holder);
            }
            if !self.has_started(holder) {
                self.replace(holder, job);
                return Receipt::Replaced(holder);
            }
        }
        Receipt::Stored(self.insert(job))
    }

    /// Returns whether an attempt of the job was counted. A job that is gone counts as started.
    pub(super) fn has_started(&self, id: JobId) -> bool {
        let job = self.store.find(id).map(|slot| &self.store[slot]);
        job.is_none_or(|job| job.state.is_finished() || job.attempt > 0)
    }

    #[inline]
    fn insert(&mut self, job: NewJob) -> JobId {
        let (chosen, run_at) = (job.id, self.run_at(job.schedule));
        self.sequence += 1;
        self.is_outdated = true;
        let id = chosen.unwrap_or_else(|| self.store.mint_next(self.sequence));
        let stored = self.stored_job(job, id, self.sequence, self.now);
        let slot = self.store.insert(stored, chosen.is_some());
        let stored = &self.store[slot];
        if let Some(unique) = stored.unique() {
            self.unique.hold(self.store.name_of(stored), unique, id, stored.pushed_at);
        }
        self.unfinished += 1;
        self.link_at(slot, run_at, State::Scheduled);
        id
    }

    /// Creates a job as it is stored, in no index.
    #[inline]
    pub(super) fn stored_job(
        &mut self,
        job: NewJob,
        id: JobId,
        sequence: u64,
        pushed_at: Timestamp,
    ) -> StoredJob {
        let queue = self.store.queue_number(&job.queue);
        StoredJob {
            id,
            sequence,
            name: self.store.intern(&job.name),
            body: job.body,
            queue,
            partition: self.store.partition_number(queue, &job.partition, self.now),
            state: State::Available,
            priority: job.priority,
            attempt: 0,
            max_attempts: job.max_attempts,
            worker: 0,
            fence: Fence(0),
            pushed_at,
            run_at: pushed_at,
            claimed_at: Timestamp::EPOCH,
            state_time: Timestamp::EPOCH,
            extras: extras(job.meta, job.unique, job.on_discard),
        }
    }

    /// Updates a job that has not started.
    fn replace(&mut self, id: JobId, job: NewJob) {
        let Some(slot) = self.store.find(id) else { return };
        self.store.unlink(slot);
        let run_at = self.run_at(job.schedule);
        let stored = &mut self.store[slot];
        stored.body = job.body;
        stored.priority = job.priority;
        self.link_at(slot, run_at, State::Scheduled);
    }

    /// Moves a job to the available state at an instant. Until then its state is `waiting`. An instant in the past means now.
    pub(super) fn wait_until(&mut self, slot: Slot, at: Timestamp, waiting: State) {
        self.store.unlink(slot);
        self.link_at(slot, at, waiting);
    }

    pub(super) fn link_at(&mut self, slot: Slot, at: Timestamp, waiting: State) {
        let at = at.max(self.now);
        let state = if at > self.now { waiting } else { State::Available };
        self.store[slot].run_at = at;
        self.store.link(slot, state);
    }

    fn run_at(&self, schedule: Schedule) -> Timestamp {
        match schedule {
            Schedule::Now => self.now,
            Schedule::After(delay) => self.now.saturating_add(delay),
            Schedule::At(at) => at,
        }
    }
}

fn extras(
    meta: crate::contract::job::Meta,
    unique: Option<Box<Unique>>,
    on_discard: Option<Arc<OnDiscard>>,
) -> Option<Box<Extras>> {
    if meta.is_empty() && unique.is_none() && on_discard.is_none() {
        return None;
    }
    Some(Box::new(Extras { meta, unique, on_discard, ..Extras::default() }))
}
