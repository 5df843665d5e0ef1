//! The lists of waiting claims and pushes.

use std::collections::BTreeMap;

use queue_core::table::JobTable;
use queue_core::{Delivery, Demand, NewJob, QueueError, Receipt, Settlement, Timestamp, Transition};

/// The position of a waiter in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A list of waiters, first come, first served.
pub(super) struct WaitList<T> {
    last: u64,
    waiters: BTreeMap<Ticket, T>,
}

/// A waiting call, which may have its answer already.
pub(super) trait Waiter {
    type Answer;

    /// Takes the answer, if there is one.
    fn answer(&mut self) -> Option<Self::Answer>;

    fn is_waiting(&self) -> bool;
}

impl<T> Default for WaitList<T> {
    fn default() -> Self {
        Self { last: 0, waiters: BTreeMap::new() }
    }
}

impl<T: Waiter> WaitList<T> {
    pub(super) fn join(&mut self, waiter: T) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.waiters.insert(ticket, waiter);
        ticket
    }

    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<T> {
        self.waiters.remove(&ticket)
    }

    /// Takes the answer of a waiter, if there is one, and removes the waiter.
    pub(super) fn answer(&mut self, ticket: Ticket) -> Option<T::Answer> {
        let answer = self.waiters.get_mut(&ticket)?.answer()?;
        self.waiters.remove(&ticket);
        Some(answer)
    }

    /// Returns the waiters without an answer, in order.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut T> {
        self.waiters.values_mut().filter(|waiter| waiter.is_waiting())
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.waiters.values().any(Waiter::is_waiting)
    }
}

/// A waiting claim.
pub(super) struct WaitingClaim {
    demand: Demand,
    deliveries: Vec<Delivery>,
}

impl WaitingClaim {
    pub(super) fn new(demand: Demand) -> Self {
        Self { demand, deliveries: Vec::new() }
    }

    pub(super) fn serve(&mut self, table: &mut JobTable, now: Timestamp) -> bool {
        self.deliveries = table.claim(now, &self.demand);
        !self.deliveries.is_empty()
    }

    /// Releases the jobs that were leased and never received.
    pub(super) fn release(self, table: &mut JobTable, now: Timestamp) {
        let releases =
            self.deliveries.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::Release));
        // A release has no followup that could be invalid.
        drop(table.settle(now, releases.collect()));
    }
}

impl Waiter for WaitingClaim {
    type Answer = Vec<Delivery>;

    fn answer(&mut self) -> Option<Vec<Delivery>> {
        let deliveries = std::mem::take(&mut self.deliveries);
        Some(deliveries).filter(|deliveries| !deliveries.is_empty())
    }

    fn is_waiting(&self) -> bool {
        self.deliveries.is_empty()
    }
}

/// A waiting push.
pub(super) struct WaitingPush {
    jobs: Vec<NewJob>,
    answer: Option<Result<Vec<Receipt>, QueueError>>,
}

impl WaitingPush {
    pub(super) fn new(jobs: Vec<NewJob>) -> Self {
        Self { jobs, answer: None }
    }

    pub(super) fn serve(&mut self, table: &mut JobTable, now: Timestamp, capacity: Option<u32>) -> bool {
        let needed = table.room_needed(now, &self.jobs) as u64;
        let has_room = table.room().is_none_or(|room| needed <= room);
        // If unique keys were freed meanwhile, the batch may need more than the whole capacity. The table refuses it then.
        if has_room || capacity.is_some_and(|capacity| needed > u64::from(capacity)) {
            self.answer = Some(table.push(now, std::mem::take(&mut self.jobs)));
        }
        self.answer.is_some()
    }
}

impl Waiter for WaitingPush {
    type Answer = Result<Vec<Receipt>, QueueError>;

    fn answer(&mut self) -> Option<Self::Answer> {
        self.answer.take()
    }

    fn is_waiting(&self) -> bool {
        self.answer.is_none()
    }
}
