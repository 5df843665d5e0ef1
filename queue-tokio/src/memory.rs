//! The in-memory queue: the job table behind a lock, and semaphores that mirror its counts.
//!
//! # Tasks
//!
//! The queue spawns no task. All its code runs in the tasks of its callers: producers push, claimers claim and
//! settle, the renewer renews, and operators call [`Admin`](queue_core::admin::Admin).
//!
//! # Shared state
//!
//! | state | content |
//! | --- | --- |
//! | `LockedState::table` | all jobs |
//! | `LockedState::ready` | for each queue, a semaphore whose permits are its ready jobs |
//! | `LockedState::capacity` | a semaphore whose permits are the free slots of a bounded queue |
//! | `LockedState::armed_for` | the deadline for which waiting callers have armed their timers |
//! | `LockedState::is_closed` | set once, by `close` |
//! | `LockedState::idle` | a sender for each caller of `idle` that waits |
//! | `LockedState::ends` | the callers of `ended` that wait, by their jobs, which the table watches |
//! | `Shared::inbox` | jobs that were pushed without the table's lock, and reserved places for more |
//! | `Shared::claimers` | how many claimers wait, or are about to |
//! | `Shared::producers` | how many producers wait for capacity, or are about to |
//! | `Shared::expiries` | the listeners for jobs whose last lease has expired |
//! | `Shared::rearm` | notifies waiting callers that their timers are armed too late |
//!
//! The lock guards all of `LockedState`. Each operation that takes it stores first what is in the inbox, which has a lock of its
//! own: see `inbox.rs`. A claimer waits for one permit, acquires further available permits up to its demand, and
//! then takes as many jobs from the table as it has permits.
//!
//! **Invariant:** the table is accessed only under the lock. Before the lock is released, each semaphore is brought in line
//! with the table; the permits to add are released right after the lock.
//!
//! # Who wakes whom
//!
//! | waiter | waits for | woken by |
//! | --- | --- | --- |
//! | claimer | a permit of one of its queues | each call that makes a job ready: push, settle, expire, retry, resume. A push to the inbox takes the table's lock if a claimer waits |
//! | producer of a full queue | as many capacity permits as its batch needs | each call that ends or removes a job |
//! | both | the next due time or the notification `rearm`, in `drive_timer` | the clock, or a call that makes a job due earlier |
//! | caller of `idle` | the end of the last unfinished job that is no waiting tick | the call that ends or removes it |
//! | caller of `ended` | the end of one of its jobs, in `drive_timer` too, or the end of its wait | the call that ends or removes the job, or the clock |
//!
//! # Shutdown
//!
//! `close` sets `is_closed` and closes all semaphores, in one step under the lock. Waiting callers then return `Closed`. No
//! new wait starts: a claimer checks `is_closed` under the lock before it creates its waits, and the closed semaphore refuses
//! a producer. Leases can still be renewed and settled.
//!
//! # Races
//!
//! - A job is cancelled or its queue paused after a claimer acquired the permit: the claimer finds no job and waits again.
//! - A claim is stopped or dropped at the moment its permit arrives: dropping the permit passes it on to the next waiter.
//! - A followup takes the capacity that a producer has just acquired: the producer waits again.
//! - A job arrives in the inbox while a claimer begins to wait: the claimer counts itself before it looks into the inbox for the
//!   last time, so either it sees the job or the push sees it.
//! - A producer waits while places are reserved: it counts itself and returns them under the lock, and none are reserved while a
//!   producer waits.
//! - A job becomes due earlier while a caller arms its timer: the caller registers for `rearm` before it reads the deadline.

mod admin;
mod builder;
mod ends;
mod enqueue;
mod idle;
mod inbox;
mod lock;
#[cfg(all(test, queue_loom))]
mod loom;
mod permits;
mod push;
mod timer;
mod waiting;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use crossbeam_utils::CachePadded;
use futures_util::future::{OptionFuture, select_all};
use queue_core::backend::{ExpiryFeed, PushHooks};
use queue_core::table::{JobTable, Reservation};
use queue_core::{
    Announcement, Clock, Delivery, Demand, Heartbeat, Limits, NewJob, Queue, QueueError, QueueLimits,
    QueueName, Receipt, Renewal, Settled, Settlement, Timestamp,
};
use smallvec::SmallVec;
use tokio::sync::{Notify, OwnedSemaphorePermit};

pub use builder::MemoryQueueBuilder;

use ends::EndWaiters;
use idle::IdleWaiters;
use inbox::Inbox;
use lock::Mutex;
use permits::{PendingPermits, Permits};
use waiting::Waiting;

/// A queue in memory. It needs no server and no files, and does not serialize payloads.
///
/// Bounded by default: `enqueue` waits for capacity, [`try_enqueue`](Self::try_enqueue) does not.
/// Its jobs are lost when the program ends; a warning says how many were unfinished.
///
/// Cheap to clone; all clones are the same queue. Waiting claimers are served first come, first served.
///
/// # Dropping payloads
///
/// A payload is dropped by the last owner, which may be the queue in the middle of a call. Therefore the `Drop`
/// implementation of a payload, or of a value captured by a closure, must not call the queue.
///
/// # A job that enqueues
///
/// A job that enqueues to its own bounded queue while the queue is full may wait for capacity that only this job can free.
/// Use [`JobContext::then`](queue_core::JobContext::then) instead: it never waits and cannot lose the next link.
///
/// ```
/// # use queue_core::{background_job, JobContext};
/// # #[background_job]
/// # async fn next(page: u32) {}
/// #[background_job]
/// async fn crawl(#[inject] context: &JobContext, page: u32) {
///     context.then(next::new(page + 1)); // right; `queue.enqueue(next::new(page + 1)).await` may wait for ever
/// }
/// ```
#[derive(Clone)]
pub struct MemoryQueue(Arc<Shared>);

struct Shared {
    /// Padded to its own cache lines, so that threads spinning on the lock do not slow its owner.
    state: CachePadded<Mutex<CachePadded<LockedState>>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    bound: Option<u32>,
    /// Notifies waiting callers that a job is due earlier than their timers are armed for.
    rearm: Notify,
    inbox: Inbox,
    claimers: Waiting,
    producers: Waiting,
    expiries: ExpiryFeed,
    hooks: PushHooks,
}

struct LockedState {
    table: JobTable,
    /// The permits of each queue, by its number in the table; a permit is a ready job.
    ready: Vec<Permits>,
    capacity: Permits,
    /// The deadline for which waiting callers have armed their timers.
    armed_for: Option<Timestamp>,
    is_closed: bool,
    /// The callers that wait until no unfinished job is left.
    idle: IdleWaiters,
    /// The callers that wait for the end of jobs.
    ends: EndWaiters,
}

impl MemoryQueue {
    /// The default limit of unfinished jobs.
    pub const DEFAULT_BOUND: u32 = 100_000;

    /// Creates a queue limited to [`DEFAULT_BOUND`](Self::DEFAULT_BOUND) unfinished jobs.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a queue limited to `bound` unfinished jobs; zero counts as one.
    #[must_use]
    pub fn bounded(bound: u32) -> Self {
        Self::builder().bound(bound).build()
    }

    /// Creates a queue without a limit on its jobs.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::builder().unbounded().build()
    }

    /// Creates a builder for a queue with other settings.
    pub fn builder() -> MemoryQueueBuilder {
        MemoryQueueBuilder::new()
    }

    /// Closes the queue. Pushes and claims, including waiting ones, return `Closed`; leases can still be renewed and settled.
    pub fn close(&self) {
        self.0.locked(|state, _| {
            state.close();
            state.return_reservations(&self.0.inbox);
        });
    }

    /// Stores a batch if there is capacity for it now.
    ///
    /// # Errors
    ///
    /// `Full` if there is no capacity, and the errors of [`Queue::push`].
    pub fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let mut batch = jobs;
        self.0.hooks.run(&mut batch);
        self.0.try_store(&mut batch)?.ok_or_else(|| self.0.full(&batch))
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Some(&self.0.expiries)
    }

    fn description(&self) -> String {
        "memory; an acknowledged push does not survive the process".to_owned()
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        if jobs.is_empty() {
            return self.0.locked(|state, _| state.check_open()).map(|()| Vec::new());
        }
        let mut batch = jobs;
        self.0.hooks.run(&mut batch);
        match self.0.try_store(&mut batch)? {
            Some(receipts) => Ok(receipts),
            // Boxed separately: every push creates this future, and few pushes wait.
            None => Box::pin(self.0.store_when_capacity_is_free(batch)).await,
        }
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        if !self.0.hooks.is_empty() {
            // `push` runs them, once.
            return None;
        }
        if let Some(id) = self.0.push_to_inbox(job) {
            return Some(Ok(Receipt::Stored(id)));
        }
        let lacked_a_place = job.as_ref().is_some_and(Reservation::suits);
        match self.0.try_store(job) {
            Ok(receipt) => {
                let receipt = receipt.flatten()?;
                if lacked_a_place {
                    self.0.reserve();
                }
                Some(Ok(receipt))
            }
            Err(error) => {
                // An error is an answer like any other: the job is dropped.
                drop(job.take());
                Some(Err(error))
            }
        }
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let shared = &*self.0;
        if demand.is_stopped() {
            return Ok(Vec::new());
        }
        let deliveries = shared.take(demand, None)?;
        if !deliveries.is_empty() {
            return Ok(deliveries);
        }
        let _waiting = shared.claimers.enter();
        let mut over = pin!(OptionFuture::from(demand.wait.map(|wait| shared.clock.sleep(wait))));
        let mut stopped = pin!(demand.stopped());
        loop {
            let permit = tokio::select! {
                biased;
                // A permit that arrives at the same time is passed on to the next waiter.
                () = &mut stopped => return Ok(Vec::new()),
                permit = shared.permit(demand) => permit?,
                never = shared.drive_timer() => match never {},
                Some(()) = &mut over => return Ok(Vec::new()),
            };
            let deliveries = shared.take(demand, Some(permit))?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.0.locked(|state, now| state.table.renew(now, heartbeats)))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.0.locked(|state, now| state.table.settle(now, settlements))
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.0.locked(|state, now| state.table.announce(now, announcement));
        Ok(())
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.0.locked(|state, now| state.table.declare_limits(now, queue, limits))
    }
}

impl Shared {
    /// Runs `work` under the lock, then releases the permits it made available.
    ///
    /// The permits are released after the lock, so that the waiters they wake do not contend for it.
    fn locked<T>(&self, work: impl FnOnce(&mut LockedState, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut state = lock::lock(&self.state);
        self.inbox.drain_into(&mut state.table);
        let answer = work(&mut state, now);
        if state.table.wants_reservations() {
            state.return_reservations(&self.inbox);
        }
        let pending = state.update_permits();
        let needs_rearm = state.needs_rearm();
        let expired = state.table.take_expired();
        let ended = state.take_ended();
        let idle = if state.is_idle(now) { state.idle.take() } else { IdleWaiters::default() };
        drop(state);
        for job in expired {
            self.expiries.report(&job);
        }
        for permits in pending {
            permits.release();
        }
        if needs_rearm {
            self.rearm.notify_waiters();
        }
        idle.wake();
        ended.iter().for_each(|waiter| waiter.notify_one());
        answer
    }

    /// Takes ready jobs: one for the permit in `held`, if any, and more for permits that are available.
    fn take(
        &self,
        demand: &Demand,
        held: Option<(QueueName, OwnedSemaphorePermit)>,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.locked(|state, now| {
            state.check_open()?;
            state.table.advance(now);
            // Jobs that just became due are available to this call too, but waiting claimers come first.
            for permits in state.update_permits() {
                permits.release();
            }
            let mut deliveries = Vec::new();
            let mut held = held;
            for queue in &demand.queues {
                let wanted = state.table.max_from(queue, demand, deliveries.len());
                let number = state.table.number(queue);
                let Some(ready) = permits_of(&mut state.ready, number) else { continue };
                let own = if wanted > 0 { held.take_if(|(name, _)| name == queue) } else { None };
                let one = usize::from(own.is_some());
                if let Some((_, permit)) = own {
                    permit.forget();
                }
                let permits = one + ready.try_acquire_up_to(wanted - one);
                ready.consume(permits);
                deliveries.reserve(permits);
                state.table.claim_from(queue, permits, demand, &mut deliveries);
            }
            Ok(deliveries)
        })
    }

    /// Waits for a permit of any of the queues.
    async fn permit(&self, demand: &Demand) -> Result<(QueueName, OwnedSemaphorePermit), QueueError> {
        let mut permits = self.locked(|state, _| {
            // A wait on permits created after the close would never end.
            state.check_open()?;
            let permit = |queue: &QueueName| {
                let number = state.table.number(queue);
                Some((queue.clone(), permits_of(&mut state.ready, number)?.acquire()))
            };
            Ok::<_, QueueError>(demand.queues.iter().filter_map(permit).collect::<SmallVec<[_; 1]>>())
        })?;
        let (queue, permit) = match (permits.pop(), permits.is_empty()) {
            (None, _) => return Err(QueueError::invalid("the demand names no queues")),
            (Some((queue, permit)), true) => (queue, permit.await),
            (Some(last), false) => {
                permits.push(last);
                let waiting =
                    permits.into_iter().map(|(queue, permit)| Box::pin(async move { (queue, permit.await) }));
                select_all(waiting).await.0
            }
        };
        permit.map(|permit| (queue, permit)).map_err(|_| QueueError::closed())
    }
}

/// Few operations change more than one queue and the capacity.
type Pending = SmallVec<[PendingPermits; 2]>;

impl LockedState {
    /// Ends all waits, and prevents new ones.
    fn close(&mut self) {
        self.is_closed = true;
        self.ready.iter().chain([&self.capacity]).for_each(Permits::close);
    }

    /// Returns the callers that wait for a job that has ended.
    fn take_ended(&mut self) -> Vec<Arc<Notify>> {
        let ended = self.table.take_ended();
        if ended.is_empty() { Vec::new() } else { self.ends.take(&ended) }
    }

    fn check_open(&self) -> Result<(), QueueError> {
        if self.is_closed { Err(QueueError::closed()) } else { Ok(()) }
    }

    /// Returns all places that are reserved and not used. Returns whether there were any.
    fn return_reservations(&mut self, inbox: &Inbox) -> bool {
        let reservations = inbox.take_reservations();
        let are_any = !reservations.is_empty();
        self.table.return_reservations(reservations);
        are_any
    }

    /// Brings all semaphores in line with the table. Returns the permits that the caller must release.
    fn update_permits(&mut self) -> Pending {
        let Self { table, ready, capacity, .. } = self;
        let mut pending = Pending::new();
        for (number, count) in table.drain_changed() {
            pending.extend(permits_of(ready, number).and_then(|permits| permits.set_available(count)));
        }
        if let Some(free) = table.room() {
            pending.extend(capacity.set_available(usize::try_from(free).unwrap_or(usize::MAX)));
        }
        pending
    }
}

/// Returns the permits of a queue by its number; creates them at the first use.
fn permits_of(ready: &mut Vec<Permits>, number: usize) -> Option<&mut Permits> {
    while ready.len() <= number {
        ready.push(Permits::new());
    }
    ready.get_mut(number)
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut state = lock::lock(&self.state);
        self.inbox.drain_into(&mut state.table);
        let unfinished = state.table.unfinished();
        if unfinished > 0 {
            // The earliest instant: the time of the table stays as it is.
            let counts = state.table.counts(Timestamp::EPOCH).into_iter();
            let of_queue =
                counts.map(|counts| (counts.unfinished(), counts.queue)).filter(|(jobs, _)| *jobs > 0);
            let queues: Vec<_> = of_queue.map(|(jobs, queue)| format!("{queue}: {jobs}")).collect();
            let queues = queues.join(", ");
            tracing::warn!(unfinished, "an in-memory queue was dropped with its unfinished jobs ({queues})");
        }
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").field("capacity", &self.0.bound).finish_non_exhaustive()
    }
}
