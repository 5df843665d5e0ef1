//! The lines in which claims and pushes wait.

use std::collections::BTreeMap;

use queue_core::table::JobTable;
use queue_core::{Delivery, Demand, NewJob, QueueError, Receipt, Settlement, Timestamp, Transition};

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A line, first come, first served.
pub(super) struct Turns<T> {
    last: u64,
    turns: BTreeMap<Ticket, T>,
}

/// What may be given its answer while it waits.
pub(super) trait Turn {
    type Answer;

    /// Takes the answer, if it has been given.
    fn answer(&mut self) -> Option<Self::Answer>;

    fn is_waiting(&self) -> bool;
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { last: 0, turns: BTreeMap::new() }
    }
}

impl<T: Turn> Turns<T> {
    pub(super) fn join(&mut self, turn: T) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.turns.insert(ticket, turn);
        ticket
    }

    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<T> {
        self.turns.remove(&ticket)
    }

    /// Takes the answer that a turn was given, if it was, and ends the turn.
    pub(super) fn answer(&mut self, ticket: Ticket) -> Option<T::Answer> {
        let answer = self.turns.get_mut(&ticket)?.answer()?;
        self.turns.remove(&ticket);
        Some(answer)
    }

    /// Goes through those who wait still, from the head.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut T> {
        self.turns.values_mut().filter(|turn| turn.is_waiting())
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.turns.values().any(Turn::is_waiting)
    }
}

/// A claim in the line.
pub(super) struct ClaimTurn {
    demand: Demand,
    given: Vec<Delivery>,
}

impl ClaimTurn {
    pub(super) fn new(demand: Demand) -> Self {
        Self { demand, given: Vec::new() }
    }

    pub(super) fn serve(&mut self, table: &mut JobTable, now: Timestamp) -> bool {
        self.given = table.claim(now, &self.demand);
        !self.given.is_empty()
    }

    /// Releases what was leased and never received.
    pub(super) fn give_back(self, table: &mut JobTable, now: Timestamp) {
        let releases =
            self.given.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::Release));
        // A release has no followup that could be invalid.
        drop(table.settle(now, releases.collect()));
    }
}

impl Turn for ClaimTurn {
    type Answer = Vec<Delivery>;

    fn answer(&mut self) -> Option<Vec<Delivery>> {
        let given = std::mem::take(&mut self.given);
        Some(given).filter(|given| !given.is_empty())
    }

    fn is_waiting(&self) -> bool {
        self.given.is_empty()
    }
}

/// A push in the line.
pub(super) struct PushTurn {
    jobs: Vec<NewJob>,
    answer: Option<Result<Vec<Receipt>, QueueError>>,
}

impl PushTurn {
    pub(super) fn new(jobs: Vec<NewJob>) -> Self {
        Self { jobs, answer: None }
    }

    pub(super) fn serve(&mut self, table: &mut JobTable, now: Timestamp, capacity: Option<u32>) -> bool {
        let needed = table.room_needed(now, &self.jobs) as u64;
        let has_room = table.room().is_none_or(|room| needed <= room);
        // Keys that were freed meanwhile may have made it need more than there can be; the table refuses it.
        if has_room || capacity.is_some_and(|capacity| needed > u64::from(capacity)) {
            self.answer = Some(table.push(now, std::mem::take(&mut self.jobs)));
        }
        self.answer.is_some()
    }
}

impl Turn for PushTurn {
    type Answer = Result<Vec<Receipt>, QueueError>;

    fn answer(&mut self) -> Option<Self::Answer> {
        self.answer.take()
    }

    fn is_waiting(&self) -> bool {
        self.answer.is_none()
    }
}
