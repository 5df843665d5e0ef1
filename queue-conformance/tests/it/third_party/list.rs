//! A list of jobs that every call scans from end to end.

use queue_core::admin::AttemptError;
use queue_core::{
    Body, Delivery, Demand, JobId, JobRecord, Lease, Limits, NewJob, OnConflict, QueueError, QueueName,
    Receipt, Renewal, Schedule, Settled, Settlement, State, Timestamp, Transition, Unique,
};

#[derive(Clone, Default)]
pub(super) struct List {
    pub(super) jobs: Vec<Kept>,
    pub(super) paused: Vec<QueueName>,
    pub(super) now: Timestamp,
    pub(super) last_cursor: u64,
}

#[derive(Clone)]
pub(super) struct Kept {
    pub(super) cursor: u64,
    pub(super) record: JobRecord,
    pub(super) expires_at: Timestamp,
    key: Option<Key>,
}

#[derive(Clone)]
pub(super) struct Key {
    unique: Unique,
    is_held: bool,
    until: Timestamp,
}

impl List {
    /// Promotes due jobs and expires leases, up to an instant.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.now = now;
        for kept in &mut self.jobs {
            let record = &mut kept.record;
            match record.state {
                State::Scheduled | State::Retryable if record.run_at <= now => {
                    record.state = State::Available;
                }
                State::Executing if kept.expires_at <= now => kept.expire(),
                _ => {}
            }
        }
    }

    /// Returns when the next sweep has work.
    pub(super) fn next_event(&self) -> Option<Timestamp> {
        let events = self.jobs.iter().filter_map(|kept| match kept.record.state {
            State::Scheduled | State::Retryable => Some(kept.record.run_at),
            State::Executing => Some(kept.expires_at),
            _ => None,
        });
        events.min()
    }

    pub(super) fn unfinished(&self) -> usize {
        self.jobs.iter().filter(|kept| !kept.record.state.is_finished()).count()
    }

    pub(super) fn find(&mut self, id: JobId) -> Option<&mut Kept> {
        self.jobs.iter_mut().find(|kept| kept.record.id == id)
    }

    /// Returns the jobs of a batch as they will be stored, if all of them are valid.
    pub(super) fn checked(&self, mut jobs: Vec<NewJob>) -> Result<Vec<NewJob>, QueueError> {
        Limits::default().check(&jobs)?;
        for job in &mut jobs {
            job.body = Body::stored(job.body.encode()?);
        }
        Limits::default().check(&jobs)?;
        for (place, job) in jobs.iter().enumerate() {
            if let Schedule::After(delay) = job.schedule
                && self.now.checked_add(delay).is_none()
            {
                return Err(QueueError::invalid(format!(
                    "job {place} of the batch: a `delay` of {delay:?} is too long"
                )));
            }
        }
        Ok(jobs)
    }

    /// Returns how many jobs a push would add.
    pub(super) fn growth(&self, jobs: &[NewJob]) -> usize {
        let mut trial = self.clone();
        trial.store(jobs.to_vec());
        trial.unfinished() - self.unfinished()
    }

    pub(super) fn store(&mut self, jobs: Vec<NewJob>) -> Vec<Receipt> {
        jobs.into_iter().map(|job| self.store_one(job)).collect()
    }

    fn store_one(&mut self, job: NewJob) -> Receipt {
        if let Some(id) = job.id.filter(|id| self.find(*id).is_some()) {
            return Receipt::Stored(id);
        }
        let now = self.now;
        let run_at = match job.schedule {
            Schedule::After(delay) => now.saturating_add(delay),
            Schedule::At(at) => at.max(now),
            _ => now,
        };
        let holder = job.unique.as_ref().and_then(|unique| self.holder(job.name.as_str(), &unique.key));
        if let (Some(holder), Some(unique)) = (holder, &job.unique) {
            let id = holder.record.id;
            if unique.on_conflict == OnConflict::Keep {
                return Receipt::Existing(id);
            }
            if holder.record.attempt == 0 && !holder.record.state.is_finished() {
                (holder.record.body, holder.record.priority) = (job.body, job.priority);
                holder.wait_until(run_at, State::Scheduled, now);
                return Receipt::Replaced(id);
            }
            holder.let_key_go();
        }
        let mut record = JobRecord::new(job.id.unwrap_or_else(JobId::random), job.name, job.body);
        (record.queue, record.priority, record.max_attempts) = (job.queue, job.priority, job.max_attempts);
        (record.meta, record.pushed_at) = (job.meta, now);
        record.unique = job.unique.as_ref().map(|unique| unique.key.clone());
        let key = job.unique.map(|unique| {
            let until = unique.window.map_or(now, |window| now.saturating_add(window));
            Key { unique: *unique, is_held: true, until }
        });
        self.last_cursor += 1;
        let mut kept = Kept { cursor: self.last_cursor, record, expires_at: now, key };
        kept.wait_until(run_at, State::Scheduled, now);
        let id = kept.record.id;
        self.jobs.push(kept);
        Receipt::Stored(id)
    }

    /// Returns the job that holds a key.
    fn holder(&mut self, name: &str, key: &str) -> Option<&mut Kept> {
        let now = self.now;
        self.jobs.iter_mut().find(|kept| {
            let is_kept_by = |held: &Key| held.is_held && held.unique.key == key && held.until > now;
            let is_unfinished = !kept.record.state.is_finished();
            kept.record.name == *name
                && kept.key.as_ref().is_some_and(|held| {
                    is_kept_by(held) || (is_unfinished && held.is_held && held.unique.key == key)
                })
        })
    }

    /// Returns its key to a finished job, unless another job holds the key.
    pub(super) fn take_key_back(&mut self, id: JobId) -> Result<(), QueueError> {
        let Some((name, key)) =
            self.find(id).and_then(|kept| Some((kept.record.name.clone(), kept.record.unique.clone()?)))
        else {
            return Ok(());
        };
        if self.holder(name.as_str(), &key).is_some_and(|holder| holder.record.id != id) {
            return Err(QueueError::conflict(format!("another job holds the key of job {id}")));
        }
        if let Some(key) = self.find(id).and_then(|kept| kept.key.as_mut()) {
            key.is_held = true;
        }
        Ok(())
    }

    /// Returns the indexes of the ready jobs for a demand, in order.
    pub(super) fn ready(&self, demand: &Demand) -> Vec<usize> {
        let mut ready = Vec::new();
        for queue in demand.queues.iter().filter(|queue| !self.paused.contains(queue)) {
            let mut of_queue: Vec<_> = (0..self.jobs.len())
                .filter(|at| {
                    self.jobs[*at].record.state == State::Available && self.jobs[*at].record.queue == *queue
                })
                .filter(|at| !ready.contains(at))
                .collect();
            of_queue.sort_by_key(|at| {
                (self.jobs[*at].record.priority, self.jobs[*at].record.run_at, self.jobs[*at].cursor)
            });
            ready.extend(of_queue);
        }
        ready.truncate(demand.max);
        ready
    }

    pub(super) fn lease(&mut self, demand: &Demand) -> Vec<Delivery> {
        let (ready, now) = (self.ready(demand), self.now);
        let lease = |kept: &mut Kept| {
            kept.expires_at = now.saturating_add(demand.lease);
            let record = &mut kept.record;
            record.state = State::Executing;
            record.attempt += 1;
            record.fence.0 += 1;
            record.claimed_at = Some(now);
            let lease = Lease::new(record.id, record.fence, demand.lease, kept.expires_at);
            Delivery::new(record.clone(), lease)
        };
        ready.into_iter().map(|at| lease(&mut self.jobs[at])).collect()
    }

    fn held(&mut self, lease: &Lease) -> Option<&mut Kept> {
        let is_held =
            |kept: &&mut Kept| kept.record.state == State::Executing && kept.record.fence == lease.fence;
        self.find(lease.job).filter(is_held)
    }

    pub(super) fn renew(&mut self, lease: &Lease) -> Renewal {
        let expires_at = self.now.saturating_add(lease.length);
        match self.held(lease) {
            Some(kept) => {
                kept.expires_at = expires_at;
                Renewal::held(expires_at, kept.record.cancel_reason.clone())
            }
            None => Renewal::Lost,
        }
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Settled {
        let now = self.now;
        let Some(kept) = self.held(&settlement.lease) else { return Settled::Stale };
        kept.end(settlement.transition, now);
        self.store(settlement.followups);
        Settled::Applied
    }
}

impl Kept {
    pub(super) fn wait_until(&mut self, at: Timestamp, waiting: State, now: Timestamp) {
        self.record.run_at = at.max(now);
        self.record.state = if at > now { waiting } else { State::Available };
        self.record.finished_at = None;
    }

    pub(super) fn finish(&mut self, state: State, now: Timestamp) {
        self.record.state = state;
        self.record.finished_at = Some(now);
        if self.key.as_ref().is_some_and(|key| key.until <= now) {
            self.let_key_go();
        }
    }

    fn let_key_go(&mut self) {
        if let Some(key) = &mut self.key {
            key.is_held = false;
        }
    }

    fn note_error(&mut self, message: String, now: Timestamp) {
        let errors = &mut self.record.errors;
        errors.push(AttemptError::new(self.record.attempt, now, message));
        errors.drain(..errors.len().saturating_sub(AttemptError::KEPT));
    }

    fn expire(&mut self) {
        // The attempt ended when its lease did, even if the sweep is late.
        let now = self.expires_at;
        self.note_error("its lease has expired".to_owned(), now);
        if self.record.cancel_reason.is_some() {
            self.finish(State::Cancelled, now);
        } else if self.record.attempt >= self.record.max_attempts {
            self.finish(State::Discarded, now);
        } else {
            self.record.state = State::Available;
        }
    }

    fn end(&mut self, mut transition: Transition, now: Timestamp) {
        transition.cut_text();
        if let Transition::Retry { error, .. }
        | Transition::Discard { error }
        | Transition::Snooze { error: Some(error), .. } = &transition
        {
            self.note_error(error.clone(), now);
        }
        if matches!(transition, Transition::Snooze { .. } | Transition::Release) {
            self.record.attempt -= 1;
        }
        let is_cancelled = self.record.cancel_reason.is_some();
        match transition {
            Transition::Complete => self.finish(State::Completed, now),
            Transition::Discard { .. } => self.finish(State::Discarded, now),
            Transition::Cancel { reason } => {
                self.record.cancel_reason = Some(reason);
                self.finish(State::Cancelled, now);
            }
            _ if is_cancelled => self.finish(State::Cancelled, now),
            Transition::Retry { at, .. } => self.wait_until(at, State::Retryable, now),
            Transition::Snooze { at, .. } => self.wait_until(at, State::Scheduled, now),
            _ => self.record.state = State::Available,
        }
    }
}
