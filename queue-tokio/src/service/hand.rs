//! The jobs in hand: claimed, and not yet settled.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::{Delivery, Interrupt, InterruptReason, JobFacts, Lease, Timestamp};
use tokio::sync::Notify;

/// A job in hand.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) facts: JobFacts,
    pub(super) interrupt: Interrupt,
    /// Whether its attempt is under way; else it waits for a worker, or for its settlement.
    pub(super) is_running: bool,
    /// Whether its attempt is over.
    pub(super) has_ended: bool,
    /// When its lease was last known to hold.
    pub(super) renewed_at: Timestamp,
    /// When it is dropped if it has not stopped by then.
    pub(super) force_at: Option<Timestamp>,
}

/// A job's place in the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn is_before(self, other: Self) -> bool {
        self.0 < other.0
    }
}

/// A job for a worker.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) delivery: Delivery,
    pub(super) interrupt: Interrupt,
    pub(super) place: Place,
}

/// All jobs in hand.
///
/// **Invariant:** a job is here from its claim to the answer to its settlement, so its lease is renewed all that time.
#[derive(Debug, Default)]
pub(super) struct Hand {
    held: Mutex<Slots>,
    /// Wakes the renewal when the first job comes to hand.
    pub(super) filled: Notify,
    /// Wakes whoever waits for the end of running jobs.
    pub(super) quieter: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    held: Vec<Option<Held>>,
    free: Vec<usize>,
    running: usize,
}

impl Hand {
    /// Takes a batch of deliveries, and gives tickets for them.
    pub(super) fn take(&self, deliveries: Vec<Delivery>, now: Timestamp) -> Vec<Ticket> {
        let mut slots = self.lock();
        let was_empty = slots.is_empty();
        let tickets = deliveries.into_iter().map(|delivery| {
            let interrupt = Interrupt::new();
            let held = Held {
                lease: delivery.lease.clone(),
                facts: JobFacts::from(&delivery),
                interrupt: interrupt.clone(),
                is_running: false,
                has_ended: false,
                renewed_at: now,
                force_at: None,
            };
            Ticket { delivery, interrupt, place: slots.put(held) }
        });
        let tickets = tickets.collect();
        drop(slots);
        if was_empty {
            self.filled.notify_one();
        }
        tickets
    }

    /// Notes that an attempt is under way.
    pub(super) fn start(&self, place: Place) {
        let mut slots = self.lock();
        if let Some(held) = slots.at(place) {
            held.is_running = true;
            slots.running += 1;
        }
    }

    /// Notes that an attempt is over.
    pub(super) fn end(&self, place: Place) {
        let mut slots = self.lock();
        if let Some(held) = slots.at(place)
            && held.is_running
        {
            held.is_running = false;
            held.has_ended = true;
            slots.running -= 1;
        }
        drop(slots);
        self.quieter.notify_one();
    }

    /// Lets go of jobs that were settled.
    pub(super) fn release(&self, places: impl IntoIterator<Item = Place>) {
        let mut slots = self.lock();
        for Place(index) in places {
            if let Some(held) = slots.held.get_mut(index).and_then(Option::take) {
                slots.running -= usize::from(held.is_running);
                slots.free.push(index);
            }
        }
        drop(slots);
        self.quieter.notify_one();
    }

    /// Goes through the jobs in hand, under the lock.
    pub(super) fn each(&self, mut visit: impl FnMut(Place, &mut Held)) {
        for (index, held) in self.lock().held.iter_mut().enumerate() {
            if let Some(held) = held {
                visit(Place(index), held);
            }
        }
    }

    /// Asks every running job to stop, or drops it.
    pub(super) fn interrupt_running(&self, reason: &InterruptReason, force: bool) {
        self.each(|_, held| {
            if held.is_running && force {
                held.interrupt.force(reason.clone());
            } else if held.is_running {
                held.interrupt.request(reason.clone());
            }
        });
    }

    pub(super) fn running(&self) -> usize {
        self.lock().running
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells when the next job is to be dropped.
    pub(super) fn next_force(&self) -> Option<Timestamp> {
        self.lock().held.iter().flatten().filter_map(|held| held.force_at).min()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Asks the job to stop, and has it dropped after a grace.
    pub(super) fn interrupt(&mut self, reason: InterruptReason, now: Timestamp, grace: Duration) {
        self.interrupt.request(reason);
        if !self.has_ended {
            self.force_at.get_or_insert(now.saturating_add(grace));
        }
    }
}

impl Slots {
    fn is_empty(&self) -> bool {
        self.free.len() == self.held.len()
    }

    fn put(&mut self, held: Held) -> Place {
        match self.free.pop() {
            Some(index) => {
                if let Some(slot) = self.held.get_mut(index) {
                    *slot = Some(held);
                }
                Place(index)
            }
            None => {
                self.held.push(Some(held));
                Place(self.held.len() - 1)
            }
        }
    }

    fn at(&mut self, place: Place) -> Option<&mut Held> {
        self.held.get_mut(place.0)?.as_mut()
    }
}
