//! Renews and expires leases.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::expiry_feed::ExpiredJob;
use crate::contract::lease::{Heartbeat, Lease, Renewal};
use crate::contract::record::{AttemptError, State};
use crate::contract::tally::Tally;

impl JobTable {
    /// Extends the leases of running jobs, each by its own length from now.
    pub fn renew(&mut self, now: Timestamp, heartbeats: &[Heartbeat]) -> Vec<Renewal> {
        self.advance(now);
        heartbeats.iter().map(|heartbeat| self.renew_one(heartbeat)).collect()
    }

    fn renew_one(&mut self, Heartbeat { lease, progress }: &Heartbeat) -> Renewal {
        let Some(slot) = self.held(lease) else {
            return Renewal::Lost;
        };
        let expires_at = self.now.saturating_add(lease.length);
        self.store.move_lease(slot, expires_at);
        let job = &mut self.store[slot];
        if progress.is_some() {
            job.extras().progress.clone_from(progress);
        }
        let cancel = job.cancel_reason().map(ToOwned::to_owned);
        Renewal::Held { expires_at, cancel }
    }

    /// Removes and returns the jobs that were discarded since the last call because their leases expired. The caller passes them
    /// to [`ExpiryFeed::report`](crate::backend::ExpiryFeed::report), without a lock.
    pub fn take_expired(&mut self) -> Vec<ExpiredJob> {
        std::mem::take(&mut self.expired)
    }

    /// Returns the job of a lease that still holds.
    pub(super) fn held(&self, lease: &Lease) -> Option<Slot> {
        let slot = self.store.find(lease.job)?;
        let job = &self.store[slot];
        (job.state == State::Executing && job.fence == lease.fence).then_some(slot)
    }

    /// Ends the lease of a worker that is presumed dead. The attempt counts, and it ended when its lease expired, however late
    /// the table notices that.
    pub(super) fn expire(&mut self, slot: Slot) {
        let job = &mut self.store[slot];
        let (attempt, max, expired_at) = (job.attempt, job.max_attempts, job.state_time);
        job.note_error(expired_at, AttemptError::lease_expired(attempt, max, expired_at).message);
        let state = State::after_expiry(job.cancel_reason().is_some(), attempt, max);
        self.history.add(expired_at, job, Tally::of_expiry(state, expired_at.since(job.claimed_at)));
        match state {
            State::Discarded => {
                let job = &self.store[slot];
                let (name, queue) = (self.store.name_of(job).clone(), self.store.queue_of(job).name.clone());
                self.expired.push(ExpiredJob::new(job.id, name, queue, attempt, job.fence));
                self.discard(slot, expired_at);
            }
            finished if finished.is_finished() => self.finish_at(slot, finished, expired_at),
            waiting => self.store.transition(slot, waiting),
        }
    }
}
