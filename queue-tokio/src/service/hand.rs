//! The jobs in hand: claimed, and not yet settled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_core::{AttemptRunner, Delivery, Timestamp};
use tokio::sync::Notify;

use super::held::{Held, Place};

/// All jobs in hand.
///
/// **Invariant:** a job is here from its claim to the answer to its settlement, so its lease is renewed all that time.
#[derive(Debug, Default)]
pub(super) struct Hand {
    slots: Mutex<Slots>,
    /// How many jobs have not ended: they run, or wait for a worker.
    open: AtomicUsize,
    /// Wakes the renewal when a job comes to hand while it sleeps.
    filled: Notify,
    /// Wakes whoever waits for the last job to end, or to be settled.
    pub(super) quieter: Notify,
}

/// The places for jobs.
#[derive(Debug, Default)]
struct Slots {
    held: Vec<Option<Arc<Held>>>,
    free: Vec<Free>,
    /// How many of the places are taken.
    taken: usize,
    /// Whether somebody wants to be woken when the next job comes to hand.
    is_unwatched: bool,
}

/// A free place, and what was last held there: its memory is used for the next.
#[derive(Debug)]
struct Free {
    place: Place,
    spent: Option<Arc<Held>>,
}

impl Hand {
    /// Takes a batch of deliveries, each to a context of its own.
    pub(super) fn take(
        &self,
        deliveries: Vec<Delivery>,
        runner: &AttemptRunner,
        now: Timestamp,
    ) -> Vec<Arc<Held>> {
        self.open.fetch_add(deliveries.len(), Ordering::SeqCst);
        // Contexts are made while nobody has to wait for the lock.
        let free = self.lock().take_free(deliveries.len());
        let hold = |(delivery, free): (Delivery, Free)| free.hold(delivery, runner, now);
        let taken: Vec<_> = deliveries.into_iter().zip(free).map(hold).collect();
        let mut slots = self.lock();
        for held in &taken {
            slots.put(held.clone());
        }
        let is_unwatched = std::mem::take(&mut slots.is_unwatched);
        drop(slots);
        if is_unwatched {
            self.filled.notify_one();
        }
        taken
    }

    /// Lets go of jobs that were settled.
    pub(super) fn release(&self, settled: impl IntoIterator<Item = Arc<Held>>) {
        // What goes with these runs foreign code, a payload's `Drop`, which must not run under the lock.
        let settled: Vec<_> = settled.into_iter().collect();
        let mut slots = self.lock();
        let gone: Vec<_> = settled.iter().filter_map(|held| slots.let_go(held)).collect();
        let is_empty = slots.is_empty();
        drop(slots);
        if is_empty {
            self.quieter.notify_one();
        }
        drop(settled);
        let free: Vec<_> = gone.into_iter().map(Free::of).collect();
        self.lock().free.extend(free);
    }

    /// Notes that a job will not be worked on any more.
    pub(super) fn end(&self, held: &Held) {
        if held.end() && self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
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

    /// Waits until a job comes to hand, if none is.
    pub(super) async fn filled_again(&self) {
        if self.ask_to_be_woken() {
            self.filled.notified().await;
        }
    }

    /// Has whoever takes the next job wake who waits for that; `false` if a job is in hand.
    fn ask_to_be_woken(&self) -> bool {
        let mut slots = self.lock();
        slots.is_unwatched = slots.is_empty();
        slots.is_unwatched
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
        slots.held.iter().flatten().map(|held| held.force_at()).min().unwrap_or(Timestamp::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Takes so many free places, new ones if there are too few.
    fn take_free(&mut self, count: usize) -> Vec<Free> {
        let kept = self.free.len().saturating_sub(count);
        let mut free = self.free.split_off(kept);
        while free.len() < count {
            free.push(Free { place: Place(self.held.len()), spent: None });
            self.held.push(None);
        }
        free
    }

    fn put(&mut self, held: Arc<Held>) {
        let place = held.place;
        if let Some(slot) = self.held.get_mut(place.0) {
            *slot = Some(held);
            self.taken += 1;
        }
    }

    /// Takes a job out of its place; `None` if it was before: what was handed back by force ends a second time.
    fn let_go(&mut self, settled: &Arc<Held>) -> Option<Arc<Held>> {
        let is_here = |held: &mut Arc<Held>| Arc::ptr_eq(held, settled);
        let here = self.held.get_mut(settled.place.0)?.take_if(is_here)?;
        self.taken -= 1;
        Some(here)
    }
}

impl Free {
    fn of(mut gone: Arc<Held>) -> Self {
        let place = gone.place;
        let is_spent = Arc::get_mut(&mut gone).is_some_and(|held| held.attempt.clear());
        Self { place, spent: is_spent.then_some(gone) }
    }

    fn hold(self, delivery: Delivery, runner: &AttemptRunner, now: Timestamp) -> Arc<Held> {
        if let Some(mut spent) = self.spent
            && let Some(held) = Arc::get_mut(&mut spent)
        {
            runner.attempt_in(&mut held.attempt, delivery, now);
            held.begin(now);
            return spent;
        }
        Arc::new(Held::new(runner.attempt(delivery), self.place, now))
    }
}
