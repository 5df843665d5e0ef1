//! The jobs in hand: claimed, and not yet settled.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::{Delivery, Interrupt, InterruptReason, JobFacts, Lease, Timestamp};
use tokio::sync::Notify;

/// A job in hand, shared by its worker, the renewal and the settling.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) facts: JobFacts,
    pub(super) interrupt: Interrupt,
    phase: AtomicU8,
    /// When its lease was last known to hold, in microseconds.
    renewed_at: AtomicI64,
    /// When it is dropped if it has not stopped by then, in microseconds; the end of time for never.
    force_at: AtomicI64,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

impl Held {
    fn new(delivery: &Delivery, now: Timestamp) -> Self {
        Self {
            lease: delivery.lease.clone(),
            facts: JobFacts::from(delivery),
            interrupt: Interrupt::new(),
            phase: AtomicU8::new(WAITING),
            renewed_at: AtomicI64::new(now.as_micros()),
            force_at: AtomicI64::new(i64::MAX),
        }
    }

    /// Notes that its attempt begins.
    pub(super) fn start(&self) {
        self.phase.store(RUNNING, Ordering::SeqCst);
    }

    pub(super) fn is_running(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == RUNNING
    }

    pub(super) fn has_ended(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == ENDED
    }

    pub(super) fn renewed_at(&self) -> Timestamp {
        Timestamp::from_micros(self.renewed_at.load(Ordering::SeqCst))
    }

    pub(super) fn note_renewal(&self, at: Timestamp) {
        self.renewed_at.store(at.as_micros(), Ordering::SeqCst);
    }

    /// Asks the job to stop, and has it dropped after a grace.
    pub(super) fn interrupt(&self, reason: InterruptReason, now: Timestamp, grace: Duration) {
        self.interrupt.request(reason);
        self.force_at.fetch_min(now.saturating_add(grace).as_micros(), Ordering::SeqCst);
    }

    /// Drops the job if it had its grace and did not stop.
    pub(super) fn force_if_overdue(&self, now: Timestamp) {
        if self.force_at.load(Ordering::SeqCst) > now.as_micros() {
            return;
        }
        self.force_at.store(i64::MAX, Ordering::SeqCst);
        if let Some(reason) = self.interrupt.reason() {
            self.interrupt.force(reason.clone());
        }
    }
}

/// A job's place in the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

/// A job for a worker; boxed, since it changes hands often and is large.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) delivery: Delivery,
    pub(super) held: Arc<Held>,
    pub(super) place: Place,
}

/// All jobs in hand.
///
/// **Invariant:** a job is here from its claim to the answer to its settlement, so its lease is renewed all that time.
#[derive(Debug, Default)]
pub(super) struct Hand {
    held: Mutex<Slots>,
    /// How many jobs have not ended: they run, or wait for a worker.
    open: AtomicUsize,
    /// Wakes the renewal when the first job comes to hand.
    pub(super) filled: Notify,
    /// Wakes whoever waits for the last job to end, or to be settled.
    pub(super) quieter: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    held: Vec<Option<Arc<Held>>>,
    free: Vec<usize>,
}

impl Hand {
    /// Takes a batch of deliveries, and gives tickets for them.
    #[expect(clippy::vec_box, reason = "a ticket stays boxed when it leaves this list")]
    pub(super) fn take(&self, deliveries: Vec<Delivery>, now: Timestamp) -> Vec<Box<Ticket>> {
        self.open.fetch_add(deliveries.len(), Ordering::SeqCst);
        let mut slots = self.lock();
        let was_empty = slots.is_empty();
        let ticket = |mut delivery: Delivery| {
            delivery.received_at = Some(now);
            let held = Arc::new(Held::new(&delivery, now));
            Box::new(Ticket { place: slots.put(held.clone()), delivery, held })
        };
        let tickets = deliveries.into_iter().map(ticket).collect();
        drop(slots);
        if was_empty {
            self.filled.notify_one();
        }
        tickets
    }

    /// Notes that a job will not be worked on any more.
    pub(super) fn end(&self, held: &Held) {
        if held.phase.swap(ENDED, Ordering::SeqCst) != ENDED && self.open.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.quieter.notify_one();
        }
    }

    /// Lets go of jobs that were settled.
    pub(super) fn release(&self, places: impl IntoIterator<Item = Place>) {
        let mut slots = self.lock();
        for Place(index) in places {
            if slots.held.get_mut(index).and_then(Option::take).is_some() {
                slots.free.push(index);
            }
        }
        let is_empty = slots.is_empty();
        drop(slots);
        if is_empty {
            self.quieter.notify_one();
        }
    }

    /// Goes through the jobs in hand, in order of their places.
    pub(super) fn each(&self, mut visit: impl FnMut(Place, &Arc<Held>)) {
        for (index, held) in self.lock().held.iter().enumerate() {
            if let Some(held) = held {
                visit(Place(index), held);
            }
        }
    }

    /// Tells how many jobs run, or wait for a worker.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells when the next job is to be dropped.
    pub(super) fn next_force(&self) -> Timestamp {
        let slots = self.lock();
        let times = slots.held.iter().flatten().map(|held| held.force_at.load(Ordering::SeqCst));
        times.min().map_or(Timestamp::MAX, Timestamp::from_micros)
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn is_empty(&self) -> bool {
        self.free.len() == self.held.len()
    }

    fn put(&mut self, held: Arc<Held>) -> Place {
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
}
