//! Places for jobs that are pushed later.
//!
//! A queue in memory reserves places while it has the table locked. A later push takes one, knows the job's identity at once,
//! and leaves the job to the next operation that locks the table.

use super::JobTable;
use super::store::Reservation;
use crate::contract::clock::Timestamp;
use crate::contract::job::NewJob;
use crate::contract::record::State;

impl JobTable {
    /// Reserves places. The caller has checked that there is capacity for them.
    pub fn reserve(&mut self, count: usize) -> Vec<Reservation> {
        self.is_outdated = false;
        let reserve = |_| {
            self.sequence += 1;
            self.store.reserve(self.sequence)
        };
        (0..count).map(reserve).collect()
    }

    /// Stores a job in its place. Its producer has checked that the reservation [suits](Reservation::suits) the job and that the job
    /// exceeds no limit. The reservation MUST be one of this table.
    pub fn fill(&mut self, reservation: Reservation, job: NewJob, pushed_at: Timestamp) {
        if self.store.has_shares() {
            // Partitions are served in the order in which they came to have ready jobs.
            self.advance(pushed_at);
        }
        self.now = self.now.max(pushed_at);
        let stored = self.stored_job(job, reservation.id, reservation.sequence, pushed_at);
        let slot = self.store.fill(reservation, stored);
        self.unfinished += 1;
        self.link_at(slot, pushed_at, State::Scheduled);
    }

    /// Takes places back that were not filled. They MUST be places of this table.
    ///
    /// # Panics
    ///
    /// Panics if a place of another table names a slot that is vacant or has a job here.
    pub fn return_reservations(&mut self, reservations: impl IntoIterator<Item = Reservation>) {
        self.is_outdated = false;
        for reservation in reservations {
            self.store.cancel_reservation(&reservation);
        }
    }

    /// Returns whether the caller must [return](Self::return_reservations) all reservations: another job came to be behind them in
    /// push order, followups have taken their capacity, or they keep memory from being released.
    #[must_use]
    pub fn wants_reservations(&self) -> bool {
        let reserved = self.store.reserved();
        let is_overdrawn = |capacity: u32| self.unfinished + reserved as u64 > u64::from(capacity);
        reserved > 0
            && (self.is_outdated || self.store.is_pinned() || self.config.capacity.is_some_and(is_overdrawn))
    }
}
