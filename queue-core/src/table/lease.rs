//! Renews and expires leases.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::lease::{Heartbeat, Lease, Renewal};
use crate::contract::name::JobName;
use crate::contract::record::{AttemptError, State};

impl JobTable {
    /// Extends the leases of running jobs, each by its own length from now.
    pub fn renew(&mut self, now: Timestamp, heartbeats: &[Heartbeat]) -> Vec<Renewal> {
        self.advance(now);
        heartbeats.iter().map(|heartbeat| self.renew_one(&heartbeat.lease)).collect()
    }

    fn renew_one(&mut self, lease: &Lease) -> Renewal {
        let Some(slot) = self.held(lease) else {
            return Renewal::Lost;
        };
        let expires_at = self.now.saturating_add(lease.length);
        self.leave(slot);
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return Renewal::Lost;
        };
        entry.stamp = expires_at;
        let cancel = entry.cancel_reason().map(ToOwned::to_owned);
        self.place(slot, State::Executing);
        Renewal::Held { expires_at, cancel }
    }

    /// Removes and returns the jobs that were discarded since the last call because their leases expired, each with its name
    /// and its number of attempts. The caller passes them to [`log_discard`](crate::contract::lease::log_discard), without a
    /// lock.
    pub fn take_discarded(&mut self) -> Vec<(JobId, JobName, u32)> {
        std::mem::take(&mut self.discarded)
    }

    /// Returns the job of a lease that still holds.
    pub(super) fn held(&self, lease: &Lease) -> Option<Slot> {
        let slot = self.slot(lease.job)?;
        let entry = self.entry(slot)?;
        (entry.state == State::Executing && entry.fence == lease.fence).then_some(slot)
    }

    /// Ends the lease of a worker that is presumed dead. The attempt counts, and it ended when its lease expired, however late
    /// the table notices that.
    pub(super) fn expire(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let (attempt, max, expired_at) = (entry.attempt, entry.max_attempts, entry.stamp);
        entry.note_error(expired_at, AttemptError::lease_expired(attempt, max, expired_at).message);
        match State::after_expiry(entry.cancel_reason().is_some(), attempt, max) {
            finished if finished.is_finished() => {
                let (id, name) = (entry.id, entry.name);
                if let (State::Discarded, Some(name)) = (finished, self.jobs.name(name)) {
                    self.discarded.push((id, name.clone(), attempt));
                }
                self.finish_at(slot, finished, expired_at);
            }
            waiting => self.enter(slot, waiting),
        }
    }
}
