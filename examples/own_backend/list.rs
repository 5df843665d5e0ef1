//! The stored jobs: a list that every call scans from end to end. This file has its claims and leases.

use std::sync::Arc;

use queue_core::admin::AttemptError;
use queue_core::backend::{Encoded, ExpiredJob};
use queue_core::{
    Delivery, Demand, Heartbeat, JobId, JobRecord, Lease, OnDiscard, QueueName, Renewal, State, Timestamp,
};

#[derive(Clone, Default)]
pub(crate) struct JobList {
    pub(crate) jobs: Vec<StoredJob>,
    pub(crate) paused: Vec<QueueName>,
    /// The instant of the current call.
    pub(crate) now: Timestamp,
    pub(crate) last_position: u64,
    /// The jobs that were discarded because their leases expired, until they are reported.
    pub(crate) expired: Vec<ExpiredJob>,
}

#[derive(Clone)]
pub(crate) struct StoredJob {
    /// The job's place in the order of pushes.
    pub(crate) position: u64,
    pub(crate) record: JobRecord,
    /// The end of the lease, while the job is executing.
    pub(crate) expires_at: Timestamp,
    pub(crate) key: Option<UniqueKey>,
    /// The setting of the last claim: the job to store on a discard.
    pub(crate) on_discard: Option<Arc<OnDiscard>>,
}

#[derive(Clone)]
pub(crate) struct UniqueKey {
    pub(crate) text: String,
    pub(crate) is_owned: bool,
    /// The end of the uniqueness window.
    pub(crate) until: Timestamp,
}

impl JobList {
    /// Promotes due jobs and ends expired leases, up to an instant. Every call begins with it.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        let mut on_discard_jobs = Vec::new();
        for job in &mut self.jobs {
            match job.record.state {
                State::Scheduled | State::Retryable if job.record.run_at <= now => {
                    job.record.state = State::Available;
                }
                State::Executing if job.expires_at <= now => {
                    on_discard_jobs.extend(job.expire());
                    if job.record.state == State::Discarded {
                        self.expired.push(ExpiredJob::from(&job.record));
                    }
                }
                _ => {}
            }
        }
        self.store(on_discard_jobs);
    }

    /// Returns the instant of the next due job or expiry, at which waiting calls poll again.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = self.jobs.iter().filter_map(|job| match job.record.state {
            State::Scheduled | State::Retryable => Some(job.record.run_at),
            State::Executing => Some(job.expires_at),
            _ => None,
        });
        due.min()
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.jobs.iter().filter(|job| !job.record.state.is_finished()).count()
    }

    pub(crate) fn find(&mut self, id: JobId) -> Option<&mut StoredJob> {
        self.jobs.iter_mut().find(|job| job.record.id == id)
    }

    /// Returns the indexes of the ready jobs that a demand asks for, in the order of delivery.
    pub(crate) fn ready(&self, demand: &Demand) -> Vec<usize> {
        let mut ready = Vec::new();
        for queue in demand.queues.iter().filter(|queue| !self.paused.contains(queue)) {
            let is_ready = |index: &usize| {
                let record = &self.jobs[*index].record;
                record.state == State::Available && record.queue == *queue && !ready.contains(index)
            };
            let mut indexes: Vec<usize> = (0..self.jobs.len()).filter(is_ready).collect();
            indexes.sort_by_key(|index| {
                let job = &self.jobs[*index];
                (job.record.priority, job.record.run_at, job.position)
            });
            ready.extend(indexes);
        }
        ready.truncate(demand.max);
        ready
    }

    /// Leases ready jobs. Each delivery counts as an attempt and has a fence of its own.
    pub(crate) fn claim(&mut self, demand: &Demand) -> Vec<Delivery> {
        let now = self.now;
        let expires_at = now.saturating_add(demand.lease);
        let lease = |job: &mut StoredJob| {
            job.expires_at = expires_at;
            job.on_discard = job.record.on_discard.clone().or_else(|| demand.on_discard.clone());
            let record = &mut job.record;
            record.state = State::Executing;
            record.attempt += 1;
            record.fence.0 += 1;
            record.claimed_at = Some(now);
            record.claimed_by.clone_from(&demand.worker);
            record.progress = None;
            let lease = Lease::new(record.id, record.fence, demand.lease, expires_at);
            Delivery::new(record.clone(), lease)
        };
        self.ready(demand).into_iter().map(|index| lease(&mut self.jobs[index])).collect()
    }

    /// Returns the job that a lease is for, unless the lease was lost.
    pub(crate) fn leased(&mut self, lease: &Lease) -> Option<&mut StoredJob> {
        let job = self.find(lease.job)?;
        (job.record.state == State::Executing && job.record.fence == lease.fence).then_some(job)
    }

    pub(crate) fn renew(&mut self, heartbeat: &Heartbeat) -> Renewal {
        let expires_at = self.now.saturating_add(heartbeat.lease.length);
        let Some(job) = self.leased(&heartbeat.lease) else { return Renewal::Lost };
        job.expires_at = expires_at;
        if heartbeat.progress.is_some() {
            job.record.progress.clone_from(&heartbeat.progress);
        }
        Renewal::held(expires_at, job.record.cancel_reason.clone())
    }
}

impl StoredJob {
    /// Returns the record with the end of the lease. Only an executing job has a lease and a worker.
    pub(crate) fn shown(&self, now: Timestamp) -> JobRecord {
        let mut record = self.record.clone();
        record.unique_until = self.key.as_ref().filter(|key| key.is_owned).map(|key| key.until);
        record.as_of(Some(self.expires_at), now)
    }

    /// Ends the lease. The attempt ended when the lease did, even if the expiry is noticed later. Returns the job to store.
    fn expire(&mut self) -> Option<Encoded> {
        let now = self.expires_at;
        self.record.progress = None;
        let record = &self.record;
        let state = State::after_expiry(record.cancel_reason.is_some(), record.attempt, record.max_attempts);
        self.record_error(AttemptError::lease_expired(record.attempt, record.max_attempts, now));
        if state == State::Discarded {
            return self.discard(now);
        }
        if state.is_finished() {
            self.finish(state, now);
        } else {
            self.record.state = state;
        }
        None
    }

    /// Discards the job, whose last error is already recorded. Returns the job to store with the discard.
    pub(crate) fn discard(&mut self, now: Timestamp) -> Option<Encoded> {
        self.finish(State::Discarded, now);
        let on_discard_job = self.on_discard.as_ref()?.job_for(self.record.clone())?;
        Encoded::unchecked(on_discard_job).ok()
    }

    /// Keeps the error of an attempt; only the newest errors are kept.
    pub(crate) fn record_error(&mut self, error: AttemptError) {
        let errors = &mut self.record.errors;
        errors.push(error);
        errors.drain(..errors.len().saturating_sub(AttemptError::KEPT));
    }

    /// Sets when the job may run: at an instant, or now if that has passed. Until then it is in the state `waiting`.
    pub(crate) fn schedule(&mut self, at: Timestamp, waiting: State, now: Timestamp) {
        self.record.run_at = at.max(now);
        self.record.state = if at > now { waiting } else { State::Available };
        self.record.finished_at = None;
    }

    pub(crate) fn finish(&mut self, state: State, now: Timestamp) {
        self.record.state = state;
        self.record.finished_at = Some(now);
        if self.key.as_ref().is_some_and(|key| key.until <= now) {
            self.release_key();
        }
    }

    pub(crate) fn release_key(&mut self) {
        if let Some(key) = &mut self.key {
            key.is_owned = false;
        }
    }
}
