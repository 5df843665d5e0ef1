//! The testkit's queue: the executable contract ([`JobTable`]) behind a lock, under virtual time.
//!
//! # Tasks, state, wake-ups
//!
//! Each waiting push or claim is a caller's task with a waiter in one of two lists of `State`, and a wait for the end of jobs is
//! a caller's task that reads their states again. Any call that changes the table
//! serves the lists in order (`serve`), stores the answers in the waiters, and then notifies all waiting tasks. A task takes its
//! answer out of its waiter.
//!
//! | event | wakes |
//! | --- | --- |
//! | a call changes the table (push, settle, renew, an operator's call, close) | all waiting tasks |
//! | a call only reads, but an expiry or a due job serves a waiter | all waiting tasks |
//! | the clock reaches the next due job, or the end of the task's wait | the task that sleeps until then |
//!
//! # Races
//!
//! - A change between a task's poll and its wait: the `Notified` is created before the poll.
//! - The clock moves between the poll and the start of the sleep, which would then sleep too long: the task polls again.
//! - A claim is dropped or stopped after jobs were leased to it: `Leave` releases the jobs, which serves the next waiter.

mod admin;
mod sync;
mod waiters;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use queue_core::backend::ExpiryFeed;
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{
    Announcement, Clock as _, Delivery, Demand, Heartbeat, Limits, NewJob, Queue, QueueError, QueueErrorKind,
    QueueLimits, QueueName, Receipt, Renewal, Settled, Settlement, Timestamp,
};
use tokio::sync::Notify;

use crate::VirtualClock;
use waiters::{WaitList, WaitingClaim, WaitingPush};

/// A queue in memory that keeps the contract by a [`VirtualClock`], and does nothing else.
///
/// It is a [`JobTable`] behind a lock.
/// Waiting calls are served first come, first served, by every call that changes the table.
/// A push encodes payloads, so that a test can't push what a durable queue would refuse; closures are stored as they are.
/// Finished jobs are kept until they are pruned.
///
/// Clones are handles on the same queue, and closing one closes all of them.
#[derive(Clone)]
pub struct ModelQueue(Arc<Shared>);

struct Shared {
    clock: VirtualClock,
    state: Mutex<State>,
    /// Wakes the waiting tasks to poll again: for an answer, for the time, and for whether the queue is closed.
    changed: Notify,
    expiries: ExpiryFeed,
}

struct State {
    table: JobTable,
    capacity: Option<u32>,
    claims: WaitList<WaitingClaim>,
    pushes: WaitList<WaitingPush>,
    is_closed: bool,
}

impl ModelQueue {
    /// Creates an empty queue with a clock of its own and no bound.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(VirtualClock::new())
    }

    /// Creates an empty queue that uses this clock and has no bound.
    #[must_use]
    pub fn with_clock(clock: VirtualClock) -> Self {
        Self::made(clock, None)
    }

    /// Creates an empty queue that uses this clock and draws ids from this seed.
    #[must_use]
    pub fn seeded(clock: VirtualClock, seed: u64) -> Self {
        Self::with_seed(clock, None, seed)
    }

    /// Creates an empty queue that uses this clock and holds at most `capacity` unfinished jobs.
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
        Self(Arc::new(Shared {
            clock,
            state: Mutex::new(state),
            changed: Notify::new(),
            expiries: ExpiryFeed::new(),
        }))
    }

    /// Returns the clock of the queue.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// Refuses further pushes and claims, also waiting ones. Leases can still be renewed and settled.
    pub fn close(&self) {
        self.change(|state, _| state.is_closed = true);
    }

    /// Pushes without waiting for capacity.
    ///
    /// # Errors
    ///
    /// `Full` if there is no capacity, or if earlier pushes wait for it. Otherwise those of [`Queue::push`].
    pub fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let jobs = encoded(jobs)?;
        self.change(|state, now| {
            state.check_open()?;
            if state.pushes.is_empty() || state.table.room_needed(now, &jobs) == 0 {
                return state.table.push(now, jobs);
            }
            Err(QueueError::new(
                QueueErrorKind::Full,
                "the queue is full: earlier pushes are waiting for capacity",
            ))
        })
    }

    /// Changes the state, serves the waiters, and wakes their tasks.
    fn change<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let answer = change(&mut state, now);
        state.serve(now);
        self.unlock(state);
        self.0.changed.notify_waiters();
        answer
    }

    /// Serves the waiters, then reads the state. Wakes the waiting tasks only if a waiter was served.
    fn read<T>(&self, read: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let has_served = state.serve(now);
        let answer = read(&mut state, now);
        self.unlock(state);
        if has_served {
            self.0.changed.notify_waiters();
        }
        answer
    }

    /// Polls for an answer now, after every change of the queue, and when the instant to poll again has come.
    async fn wait_for<T>(&self, mut poll: impl FnMut(&mut State, Timestamp) -> Polled<T>) -> T {
        loop {
            // Created before the poll, so that a change between the poll and the wait is not missed.
            let changed = pin!(self.0.changed.notified());
            match self.read(&mut poll) {
                Polled::Answer(answer) => return answer,
                Polled::Wait(None) => changed.await,
                Polled::Wait(Some(at)) => {
                    let now = self.0.clock.now();
                    let sleep = self.0.clock.sleep(at.since(now));
                    // If the clock has moved since the poll, the sleep would be too long: poll again.
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

    /// Ends the lock, then reports the jobs whose last lease has expired.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let expired = state.table.take_expired();
        drop(state);
        for job in expired {
            self.0.expiries.report(&job);
        }
    }
}

/// The result of polling a waiter.
enum Polled<T> {
    Answer(T),
    /// Poll again when the queue changes, or at this instant.
    Wait(Option<Timestamp>),
}

impl State {
    fn check_open(&self) -> Result<(), QueueError> {
        if self.is_closed { Err(QueueError::closed()) } else { Ok(()) }
    }

    /// Serves the waiters, first come, first served. Returns whether one was served.
    fn serve(&mut self, now: Timestamp) -> bool {
        self.table.advance(now);
        let mut has_served = false;
        if self.is_closed {
            return has_served;
        }
        for waiter in self.pushes.waiting() {
            // Later pushes wait too, even if their jobs would fit, so that a large batch does not starve.
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
        // A mistake is reported at once, not when there is capacity.
        Limits::default().check(&jobs)?;
        let waiter = self.change(|state, now| {
            state.check_open()?;
            let needed = state.table.room_needed(now, &jobs);
            // A push that needs no capacity does not wait. A push that can never fit is refused by the table.
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
        // If the claim is dropped, the jobs leased to it are released, and the next waiter is served.
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
            // `Leave` releases the jobs that were leased meanwhile.
            Either::Right(((), _)) => Ok(Vec::new()),
        }
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.change(|state, now| state.table.renew(now, heartbeats)))
    }

    async fn settle(&self, mut settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        Limits::default().check_settlements(&settlements)?;
        for settlement in &mut settlements {
            settlement.followups = written(std::mem::take(&mut settlement.followups))?;
        }
        self.change(|state, now| state.table.settle(now, settlements))
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.read(|state, now| state.table.announce(now, announcement));
        Ok(())
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.change(|state, now| state.table.declare_limits(now, queue, limits))
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Some(&self.0.expiries)
    }
}

fn encoded(jobs: Vec<NewJob>) -> Result<Vec<NewJob>, QueueError> {
    // Checked before the encoding, because this error names the job by its index.
    Limits::default().check(&jobs)?;
    written(jobs)
}

/// Encodes payloads as a durable queue would.
fn written(mut jobs: Vec<NewJob>) -> Result<Vec<NewJob>, QueueError> {
    for job in jobs.iter_mut().filter(|job| !job.body.is_closure()) {
        job.body = queue_core::Body::stored(job.body.encode()?);
    }
    Ok(jobs)
}

/// Calls the closure when it is dropped. A call that waits removes its waiter with it, even if its future is dropped.
struct Leave<F: FnMut()>(F);

impl<F: FnMut()> Drop for Leave<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
