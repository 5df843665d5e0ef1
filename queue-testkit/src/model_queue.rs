//! The testkit's own queue: the executable contract behind a lock, under virtual time.

mod admin;
mod fixture;
mod sync;
mod waiters;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{
    Clock as _, Delivery, Demand, Lease, Limits, NewJob, Queue, QueueError, QueueErrorKind, Receipt, Renewal,
    Settled, Settlement, Timestamp,
};
use tokio::sync::Notify;

use crate::VirtualClock;
use waiters::{WaitList, WaitingClaim, WaitingPush};

/// A queue in memory that does what the contract says, by a [`VirtualClock`], and nothing else.
///
/// It is [`JobTable`] behind a lock.
/// Those who wait stand in a line, and whatever changes the table serves the line from its head; that is all there is to wake-ups.
/// Payloads are encoded as they are pushed, so that a test can't pass what a durable queue would refuse; closures are taken as they are.
/// Finished jobs are kept until they are pruned.
///
/// Clones are handles on the same queue, and are closed together.
#[derive(Clone)]
pub struct ModelQueue(Arc<Shared>);

struct Shared {
    clock: VirtualClock,
    state: Mutex<State>,
    /// Tells those who wait to look again: at what they were given, at the time, or at whether the queue was closed.
    changed: Notify,
}

struct State {
    table: JobTable,
    capacity: Option<u32>,
    claims: WaitList<WaitingClaim>,
    pushes: WaitList<WaitingPush>,
    is_closed: bool,
}

impl ModelQueue {
    /// Makes an empty queue with a clock of its own and no bound.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(VirtualClock::new())
    }

    /// Makes an empty queue that goes by this clock and has no bound.
    #[must_use]
    pub fn with_clock(clock: VirtualClock) -> Self {
        Self::made(clock, None)
    }

    /// Makes an empty queue that goes by this clock and gives identities that go by this seed.
    #[must_use]
    pub fn seeded(clock: VirtualClock, seed: u64) -> Self {
        Self::with_seed(clock, None, seed)
    }

    /// Makes an empty queue that goes by this clock and takes so many unfinished jobs.
    #[must_use]
    pub fn bounded(clock: VirtualClock, capacity: u32) -> Self {
        Self::made(clock, Some(capacity))
    }

    fn made(clock: VirtualClock, capacity: Option<u32>) -> Self {
        Self::with_seed(clock, capacity, 0)
    }

    fn with_seed(clock: VirtualClock, capacity: Option<u32>, seed: u64) -> Self {
        let mut config = TableConfig::default();
        config.seed = seed;
        config.capacity = capacity;
        config.retention = Retention::everything();
        let state = State {
            table: JobTable::new(config),
            capacity,
            claims: WaitList::default(),
            pushes: WaitList::default(),
            is_closed: false,
        };
        Self(Arc::new(Shared { clock, state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Gives the clock that it goes by.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// Ends pushes and claims, waiting ones too; what was leased can still be renewed and settled.
    pub fn close(&self) {
        self.change(|state, _| state.is_closed = true);
    }

    /// Pushes without waiting for room.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, or if others wait for it. Otherwise those of [`Queue::push`].
    pub fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let jobs = encoded(jobs)?;
        self.change(|state, now| {
            state.check_open()?;
            if state.pushes.is_empty() || state.table.room_needed(now, &jobs) == 0 {
                return state.table.push(now, jobs);
            }
            Err(QueueError::new(QueueErrorKind::Full, "the queue is full, and others wait for room"))
        })
    }

    /// Changes the queue, and serves those who wait by what came of it.
    fn change<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let answer = change(&mut state, now);
        state.serve(now);
        drop(state);
        self.0.changed.notify_waiters();
        answer
    }

    /// Looks at the queue; those who wait are told only if time had something for them.
    fn read<T>(&self, read: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let has_served = state.serve(now);
        let answer = read(&mut state, now);
        drop(state);
        if has_served {
            self.0.changed.notify_waiters();
        }
        answer
    }

    /// Waits in a line: looks for an answer now, and whenever the queue changed or the time has come to look again.
    async fn wait_for<T>(&self, mut poll: impl FnMut(&mut State, Timestamp) -> Polled<T>) -> T {
        loop {
            // Made before the look, so that a change between the look and the wait is not missed.
            let changed = pin!(self.0.changed.notified());
            match self.read(&mut poll) {
                Polled::Answer(answer) => return answer,
                Polled::Wait(None) => changed.await,
                Polled::Wait(Some(at)) => {
                    let now = self.0.clock.now();
                    let sleep = self.0.clock.sleep(at.since(now));
                    // A clock that moved meanwhile has made the sleep too long.
                    if self.0.clock.now() == now {
                        let (Either::Left(_) | Either::Right(_)) = select(changed, sleep).await;
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look at a turn says.
enum Polled<T> {
    Answer(T),
    /// Look again when the queue changes, or at this instant.
    Wait(Option<Timestamp>),
}

impl State {
    fn check_open(&self) -> Result<(), QueueError> {
        if self.is_closed { Err(QueueError::closed()) } else { Ok(()) }
    }

    /// Gives those who wait what there is for them, first come, first served, and tells whether there was anything.
    fn serve(&mut self, now: Timestamp) -> bool {
        self.table.advance(now);
        let mut has_served = false;
        if self.is_closed {
            return has_served;
        }
        for waiter in self.pushes.waiting() {
            // Those behind it wait too, even where their jobs would fit: a large batch is not to starve.
            if !waiter.serve(&mut self.table, now, self.capacity) {
                break;
            }
            has_served = true;
        }
        for waiter in self.claims.waiting() {
            has_served |= waiter.serve(&mut self.table, now);
        }
        has_served
    }
}

impl Default for ModelQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ModelQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unfinished = self.lock().table.unfinished();
        f.debug_struct("ModelQueue").field("clock", &self.0.clock).field("unfinished", &unfinished).finish()
    }
}

#[async_trait]
impl Queue for ModelQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let jobs = encoded(jobs)?;
        // Told at once, rather than when there is room.
        Limits::default().check(&jobs)?;
        let waiter = self.change(|state, now| {
            state.check_open()?;
            let needed = state.table.room_needed(now, &jobs);
            // One that needs no room goes ahead of those who wait for it; one that never has room is refused by the table.
            if needed == 0 || state.capacity.is_none_or(|capacity| needed > capacity as usize) {
                return state.table.push(now, jobs).map(Err);
            }
            Ok(Ok(state.pushes.join(WaitingPush::new(jobs))))
        });
        let ticket = match waiter? {
            Ok(ticket) => ticket,
            Err(receipts) => return Ok(receipts),
        };
        let _leave = Leave(|| self.change(|state, _| drop(state.pushes.leave(ticket))));
        self.wait_for(|state, _| match state.pushes.answer(ticket) {
            Some(answer) => Polled::Answer(answer),
            None if state.is_closed => Polled::Answer(Err(QueueError::closed())),
            None => Polled::Wait(state.table.next_due()),
        })
        .await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        if demand.is_stopped() {
            return Ok(Vec::new());
        }
        let until = demand.wait.map(|wait| self.0.clock.now().saturating_add(wait));
        let ticket = self.change(|state, _| {
            state.check_open()?;
            Ok::<_, QueueError>(state.claims.join(WaitingClaim::new(demand.clone())))
        })?;
        // What was leased to a claim that is dropped goes back, and to the next in the line.
        let _leave = Leave(|| {
            self.change(|state, now| {
                if let Some(waiter) = state.claims.leave(ticket) {
                    waiter.release(&mut state.table, now);
                }
            });
        });
        let answer = pin!(self.wait_for(|state, now| match state.claims.answer(ticket) {
            Some(deliveries) => Polled::Answer(Ok(deliveries)),
            None if state.is_closed => Polled::Answer(Err(QueueError::closed())),
            None if until.is_some_and(|until| until <= now) => Polled::Answer(Ok(Vec::new())),
            None => Polled::Wait(state.table.next_due().into_iter().chain(until).min()),
        }));
        match select(answer, pin!(demand.stopped())).await {
            Either::Left((answer, _)) => answer,
            // The line is left, and what was given meanwhile goes to the next.
            Either::Right(((), _)) => Ok(Vec::new()),
        }
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.change(|state, now| state.table.renew(now, leases)))
    }

    async fn settle(&self, mut settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        Limits::default().check_followups(&settlements)?;
        for settlement in &mut settlements {
            settlement.followups = written(std::mem::take(&mut settlement.followups))?;
        }
        self.change(|state, now| state.table.settle(now, settlements))
    }
}

fn encoded(jobs: Vec<NewJob>) -> Result<Vec<NewJob>, QueueError> {
    // What is refused before it is encoded is named by its place in the batch.
    Limits::default().check(&jobs)?;
    written(jobs)
}

/// Writes payloads as a durable queue would.
fn written(mut jobs: Vec<NewJob>) -> Result<Vec<NewJob>, QueueError> {
    for job in jobs.iter_mut().filter(|job| !job.body.is_call()) {
        job.body = queue_core::Body::stored(job.body.encode()?);
    }
    Ok(jobs)
}

/// Leaves the line when a call ends or is dropped.
struct Leave<F: FnMut()>(F);

impl<F: FnMut()> Drop for Leave<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
