//! The in-memory queue: the job table, a lock, and two semaphores.
//!
//! The permits of a queue's signal are its ready jobs. A claimer waits for one permit, takes what other permits are free
//! up to its demand, and then as many jobs from the table. The permits of the room are free places of a bounded queue.
//!
//! **Invariant:** the table is touched only under the lock, and before the lock is released every signal has been
//! granted as many permits as there are ready jobs; they are handed out right after. A permit that somebody holds
//! already while its job has been taken away (cancelled, paused) finds nothing; its holder looks again.

mod admin;
mod builder;
mod enqueue;
mod lock;
#[cfg(all(test, queue_loom))]
mod loom;
mod permits;
mod timer;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use crossbeam_utils::CachePadded;
use futures_util::future::{OptionFuture, select_all};
use queue_core::lease::log_discard;
use queue_core::table::JobTable;
use queue_core::{
    Clock, Delivery, Demand, Lease, Limits, NewJob, Queue, QueueError, QueueErrorKind, QueueName, Receipt,
    Renewal, Settled, Settlement, Timestamp,
};
use smallvec::SmallVec;
use tokio::sync::{Notify, OwnedSemaphorePermit};

pub use builder::MemoryQueueBuilder;

use lock::Mutex;
use permits::{PendingPermits, Permits};

/// A queue in memory: no server, no files, and nothing is serialized on the way through.
///
/// Bounded by default: `enqueue` waits for room, [`try_enqueue`](Self::try_enqueue) doesn't.
/// What is in it is gone when the program ends; a warning says how many jobs that were.
///
/// Cheap to clone; all clones are the same queue. Claimers that wait are served first come, first served.
///
/// # What it lets go of
///
/// A payload is dropped wherever the last who has it lets go of it, which may be the queue in the midst of a call: so a
/// payload's `Drop`, and that of what a closure has taken, must not call the queue.
///
/// # A job that enqueues
///
/// A job that enqueues to its own bounded queue while that's full waits for room that only it can make.
/// Let it use [`JobContext::then`](queue_core::JobContext::then), which never waits and can't lose the next link:
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
    /// Alone in its lines of the cache: those who wait for the lock don't slow the one who has it.
    state: CachePadded<Mutex<CachePadded<State>>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    bound: Option<u32>,
    /// Tells those who wait that something is due earlier than they know.
    rearm: Notify,
}

struct State {
    table: JobTable,
    /// That of each queue, by its number.
    ready: Vec<Permits>,
    capacity: Permits,
    /// What those who wait take to be due next.
    armed_for: Option<Timestamp>,
    is_closed: bool,
}

impl MemoryQueue {
    /// How many unfinished jobs a queue takes where nothing else is said.
    pub const DEFAULT_BOUND: u32 = 100_000;

    /// Makes a queue bounded at [`DEFAULT_BOUND`](Self::DEFAULT_BOUND) unfinished jobs.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Makes a queue bounded at this many unfinished jobs; a bound of zero is taken as one.
    #[must_use]
    pub fn bounded(bound: u32) -> Self {
        Self::builder().bound(bound).build()
    }

    /// Makes a queue that grows for as long as there is memory.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::builder().unbounded().build()
    }

    /// Starts to make a queue with other settings.
    pub fn builder() -> MemoryQueueBuilder {
        MemoryQueueBuilder::new()
    }

    /// Closes the queue: pushes and claims, waiting ones too, answer `Closed`; leased jobs can still be renewed and settled.
    pub fn close(&self) {
        self.0.locked(|state, _| state.close());
    }

    /// Stores a batch if there is room for it now.
    ///
    /// # Errors
    ///
    /// `Full` if there isn't, and what [`Queue::push`] answers.
    pub fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.0.limits.check(&jobs)?;
        self.0.locked(|state, now| {
            state.check_open()?;
            let needed = state.table.room_needed(now, &jobs);
            if self.0.bound.is_none() || state.capacity.try_acquire_exactly(needed) {
                state.capacity.consume(needed);
            } else if state.table.room().is_some_and(|room| room >= needed as u64) {
                // Whoever waits for room has it before those who don't.
                return Err(QueueError::new(QueueErrorKind::Full, "others wait for the room that there is"));
            }
            state.table.push(now, jobs)
        })
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        if jobs.is_empty() {
            return self.0.locked(|state, _| state.check_open()).map(|()| Vec::new());
        }
        match self.0.push_now(jobs)? {
            PushAttempt::Stored(receipts) => Ok(receipts),
            // Apart and boxed, since this future is made for every push and few have to wait.
            PushAttempt::Full(jobs) => Box::pin(self.0.push_when_capacity_is_free(jobs)).await,
        }
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
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
        let mut over = pin!(OptionFuture::from(demand.wait.map(|wait| shared.clock.sleep(wait))));
        let mut stopped = pin!(demand.stopped());
        loop {
            let permit = tokio::select! {
                biased;
                // A permit that came at the same time is passed on to the next who waits.
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

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.0.locked(|state, now| state.table.renew(now, leases)))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.0.locked(|state, now| state.table.settle(now, settlements))
    }
}

impl Shared {
    /// Does something to the table under the lock, and grants what permits that calls for.
    ///
    /// The permits are handed out once the lock is free again, so that whoever they wake doesn't run into it.
    fn locked<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut state = lock::lock(&self.state);
        let answer = work(&mut state, now);
        let pending = state.update_permits();
        let needs_rearm = state.needs_rearm();
        let discarded = state.table.take_discarded();
        drop(state);
        for (id, name, attempts) in discarded {
            log_discard(id, &name, attempts);
        }
        for permits in pending {
            permits.release();
        }
        if needs_rearm {
            self.rearm.notify_waiters();
        }
        answer
    }

    /// Takes ready jobs: one by the permit that is held, if one is, and more by such as are free.
    fn take(
        &self,
        demand: &Demand,
        held: Option<(QueueName, OwnedSemaphorePermit)>,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.locked(|state, now| {
            state.check_open()?;
            state.table.advance(now);
            // What has just become due is to be had too; those who wait for it come first.
            for permits in state.update_permits() {
                permits.release();
            }
            let mut deliveries = Vec::new();
            let mut held = held;
            for queue in &demand.queues {
                let wanted = demand.max.saturating_sub(deliveries.len());
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
                state.table.claim_from(queue, permits, demand.lease, &mut deliveries);
            }
            Ok(deliveries)
        })
    }

    /// Waits for a permit of any of the queues.
    async fn permit(&self, demand: &Demand) -> Result<(QueueName, OwnedSemaphorePermit), QueueError> {
        let mut permits = self.locked(|state, _| {
            // A signal that is made after the close would never end a wait.
            state.check_open()?;
            let permit = |queue: &QueueName| {
                let number = state.table.number(queue);
                Some((queue.clone(), permits_of(&mut state.ready, number)?.acquire()))
            };
            Ok(demand.queues.iter().filter_map(permit).collect::<SmallVec<[_; 1]>>())
        })?;
        let (queue, permit) = match (permits.pop(), permits.is_empty()) {
            (None, _) => return Err(QueueError::invalid("a demand that names no queue can never be met")),
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

    /// Stores a batch, unless it has to wait for room.
    fn push_now(&self, jobs: Vec<NewJob>) -> Result<PushAttempt, QueueError> {
        self.locked(|state, now| {
            state.check_open()?;
            if state.try_reserve(self.bound, now, &jobs) {
                return state.table.push(now, jobs).map(PushAttempt::Stored);
            }
            // What is refused for good isn't kept waiting.
            self.limits.check(&jobs)?;
            Ok(PushAttempt::Full(jobs))
        })
    }

    /// Stores one job, unless it has to wait for room.
    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        let answer = self.locked(|state, now| {
            if let Err(closed) = state.check_open() {
                return Some(Err(closed));
            }
            if !state.try_reserve(self.bound, now, job.as_slice()) {
                return None;
            }
            Some(state.table.push_one(now, job.take()?))
        });
        if answer.is_some() {
            // That of a closed queue is still there, and is answered like any other.
            drop(job.take());
        }
        answer
    }

    async fn push_when_capacity_is_free(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        loop {
            let (capacity, needed) =
                self.locked(|state, now| (state.capacity.semaphore(), state.table.room_needed(now, &jobs)));
            let fits_at_all = |needed: &u32| self.bound.is_none_or(|bound| *needed <= bound);
            let Some(permits) = u32::try_from(needed).ok().filter(fits_at_all) else {
                // Keys that were freed meanwhile have made it need more than there can be; the table refuses it.
                return self.locked(|state, now| state.table.push(now, jobs));
            };
            let permit = tokio::select! {
                biased;
                permit = capacity.acquire_many_owned(permits) => permit.map_err(|_| QueueError::closed())?,
                never = self.drive_timer() => match never {},
            };
            let pushed = self.locked(|state, now| {
                state.check_open()?;
                permit.forget();
                state.capacity.consume(needed);
                let fits =
                    state.table.room().is_none_or(|room| room >= state.table.room_needed(now, &jobs) as u64);
                if fits { state.table.push(now, std::mem::take(&mut jobs)).map(Some) } else { Ok(None) }
            })?;
            // A followup may have taken the room in between; then wait again.
            if let Some(receipts) = pushed {
                return Ok(receipts);
            }
        }
    }
}

/// Few operations change more than one queue, and the room.
type Pending = SmallVec<[PendingPermits; 2]>;

/// What became of a push that doesn't wait.
enum PushAttempt {
    Stored(Vec<Receipt>),
    Full(Vec<NewJob>),
}

impl State {
    /// Ends the waits of those who wait, and begins no other.
    fn close(&mut self) {
        self.is_closed = true;
        self.ready.iter().chain([&self.capacity]).for_each(Permits::close);
    }

    fn check_open(&self) -> Result<(), QueueError> {
        if self.is_closed { Err(QueueError::closed()) } else { Ok(()) }
    }

    /// Takes the room that a batch needs; `false` if it has to wait for that.
    fn try_reserve(&mut self, bound: Option<u32>, now: Timestamp, jobs: &[NewJob]) -> bool {
        let Some(bound) = bound else { return true };
        let needed = self.table.room_needed(now, jobs);
        // A batch that never fits is refused by the table.
        if needed > bound as usize {
            return true;
        }
        if !self.capacity.try_acquire_exactly(needed) {
            return false;
        }
        // What the table then refuses has its room granted anew.
        self.capacity.consume(needed);
        // Permits may be left of room that a followup has taken.
        self.table.room().is_none_or(|room| room >= needed as u64)
    }

    /// Pending permits to match the ready jobs and the free room; they are to be handed out.
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

/// Gives the signal of a number, made at its first use.
fn permits_of(ready: &mut Vec<Permits>, number: usize) -> Option<&mut Permits> {
    while ready.len() <= number {
        ready.push(Permits::new());
    }
    ready.get_mut(number)
}

impl Drop for Shared {
    fn drop(&mut self) {
        let unfinished = lock::lock(&self.state).table.unfinished();
        if unfinished > 0 {
            tracing::warn!(unfinished, "an in-memory queue is dropped, and its unfinished jobs with it");
        }
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").field("capacity", &self.0.bound).finish_non_exhaustive()
    }
}
