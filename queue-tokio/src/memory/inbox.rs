//! The inbox: pushes that do not lock the table.
//!
//! A push that needs nothing of the table takes a reserved place, knows its identity at once, and leaves its job here. The next
//! operation that locks the table stores what is here first, so every operation sees every acknowledged job. So a producer does
//! not wait for claims and settlements, nor they for it.

use std::mem;

use crossbeam_utils::CachePadded;
use queue_core::table::{JobTable, Reservation};
use queue_core::{JobId, NewJob, Timestamp};

use super::lock::{self, Mutex};

/// How many places are reserved at a time: few in a loom model, which uses them up.
pub(super) const RESERVATIONS: usize = if cfg!(queue_loom) { 2 } else { 256 };

/// The number of places left at which a producer reserves more. Other producers use these places meanwhile.
const FEW: usize = RESERVATIONS / 2;

/// The jobs that are pushed and not yet in the table, and the places for more.
///
/// **Lock order:** a caller that holds the table's lock may lock the inbox, not the other way round.
#[derive(Debug, Default)]
pub(super) struct Inbox(CachePadded<Mutex<InboxState>>);

#[derive(Debug, Default)]
struct InboxState {
    /// Places are taken from the end.
    reservations: Vec<Reservation>,
    jobs: Vec<Arrival>,
    /// An empty list with the memory of an earlier one.
    spare: Vec<Arrival>,
}

#[derive(Debug)]
struct Arrival {
    reservation: Reservation,
    job: NewJob,
    pushed_at: Timestamp,
}

impl Inbox {
    /// Takes a job for which [`Reservation::suits`] holds. Leaves it if no place is reserved. Returns its identity, and whether the
    /// caller must reserve more places.
    pub(super) fn push(&self, job: &mut Option<NewJob>, pushed_at: Timestamp) -> Option<(JobId, bool)> {
        let mut state = lock::lock(&self.0);
        let reservation = state.reservations.pop()?;
        let id = reservation.id();
        let job = job.take()?;
        state.jobs.push(Arrival { reservation, job, pushed_at });
        Some((id, state.reservations.len() == FEW))
    }

    /// Stores what has arrived.
    pub(super) fn drain_into(&self, table: &mut JobTable) {
        let mut state = lock::lock(&self.0);
        if state.jobs.is_empty() {
            return;
        }
        let spare = mem::take(&mut state.spare);
        let mut jobs = mem::replace(&mut state.jobs, spare);
        drop(state);
        for Arrival { reservation, job, pushed_at } in jobs.drain(..) {
            table.fill(reservation, job, pushed_at);
        }
        lock::lock(&self.0).spare = jobs;
    }

    /// Returns whether few places are left. The answer stays true while the caller holds the table's lock.
    pub(super) fn needs_reservations(&self) -> bool {
        lock::lock(&self.0).reservations.len() <= FEW
    }

    /// Adds places. They are used in their order, after the places that are left.
    pub(super) fn add_reservations(&self, reservations: impl DoubleEndedIterator<Item = Reservation>) {
        drop(lock::lock(&self.0).reservations.splice(..0, reservations.rev()));
    }

    /// Takes all places that are not used.
    pub(super) fn take_reservations(&self) -> Vec<Reservation> {
        mem::take(&mut lock::lock(&self.0).reservations)
    }
}
