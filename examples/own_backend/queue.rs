//! The queue: the list behind a lock, and the calls that wait.
//!
//! A waiting push or claim polls the list after each change, and at the instant of the next due job or expiry. Waiting calls are
//! served in the order in which they came.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::backend::{Encoded, ExpiryFeed, has_ended};
use queue_core::{
    Clock, Delivery, Demand, Heartbeat, JobId, JobRecord, NewJob, Queue, QueueError, QueueErrorKind, Receipt,
    Renewal, Settled, Settlement, Timestamp,
};
use tokio::sync::Notify;

use crate::list::JobList;

/// A handle on the queue. Clones are handles on the same queue.
#[derive(Clone)]
pub(crate) struct ListQueue(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    capacity: usize,
    state: Mutex<State>,
    /// Wakes the waiting calls, so that each polls again.
    changed: Notify,
    expiries: ExpiryFeed,
}

#[derive(Default)]
struct State {
    list: JobList,
    is_closed: bool,
    last_ticket: u64,
    claims: Vec<(u64, Demand)>,
    pushes: Vec<u64>,
}

impl ListQueue {
    /// Creates a queue that holds at most `capacity` unfinished jobs. Pushes wait for capacity.
    pub(crate) fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let (state, changed, expiries) = (Mutex::default(), Notify::new(), ExpiryFeed::new());
        Self(Arc::new(Shared { clock, capacity, state, changed, expiries }))
    }

    /// Refuses further pushes and claims. Leases can still be renewed and settled.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.0.changed.notify_waiters();
    }

    /// Pushes without waiting. Fails as `Full` if there is no capacity, or if earlier pushes wait for it.
    pub(crate) fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let mut state = self.lock();
        let batch = state.list.check(jobs)?;
        let must_wait = !state.pushes.is_empty() && state.list.growth(&batch) > 0;
        if must_wait || !self.fits(&state.list, &batch)? {
            return Err(QueueError::new(QueueErrorKind::Full, "the queue is full: try again later"));
        }
        let receipts = state.list.store(batch);
        drop(state);
        self.0.changed.notify_waiters();
        Ok(receipts)
    }

    /// Reads the list as it is now.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut JobList) -> T) -> T {
        read(&mut self.lock().list)
    }

    /// Changes the list and wakes the waiting calls.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut JobList) -> T) -> T {
        let answer = self.read(change);
        self.0.changed.notify_waiters();
        answer
    }

    /// Waits until one of these jobs has ended or is gone, or `wait` is over.
    pub(crate) async fn wait_for_end(&self, ids: &[JobId], wait: Duration) -> Vec<Option<JobRecord>> {
        let deadline = self.0.clock.now().saturating_add(wait);
        self.wait_for(Some(deadline), |state| {
            let jobs: Vec<_> =
                ids.iter().map(|id| state.list.find(*id).map(|job| job.record.clone())).collect();
            (deadline <= state.list.now || has_ended(&jobs)).then_some(jobs)
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.list.advance(self.0.clock.now());
        let expired = std::mem::take(&mut state.list.expired);
        if expired.is_empty() {
            return state;
        }
        // Without the lock, as a listener may call the queue.
        drop(state);
        expired.iter().for_each(|job| self.0.expiries.report(job));
        self.lock()
    }

    /// Polls for an answer now, after each change, at each due time and at `deadline`.
    async fn wait_for<T>(
        &self,
        deadline: Option<Timestamp>,
        mut poll: impl FnMut(&mut State) -> Option<T>,
    ) -> T {
        loop {
            // Created before the poll, so that a change between the poll and the wait is not missed.
            let changed = self.0.changed.notified();
            let (now, wake_at) = {
                let mut state = self.lock();
                if let Some(answer) = poll(&mut state) {
                    return answer;
                }
                (state.list.now, state.list.next_due().into_iter().chain(deadline).min())
            };
            let sleep = self.0.clock.sleep(wake_at.map_or_else(Default::default, |at| at.since(now)));
            // If the clock has moved since the poll, the sleep would end too late: poll again.
            if self.0.clock.now() == now {
                tokio::select! {
                    () = changed => {}
                    () = sleep, if wake_at.is_some() => {}
                }
            }
        }
    }

    /// Returns whether a batch fits now.
    fn fits(&self, list: &JobList, batch: &[Encoded]) -> Result<bool, QueueError> {
        let (growth, capacity) = (list.growth(batch), self.0.capacity);
        if growth > capacity {
            return Err(QueueError::invalid(format!(
                "the batch has {growth} jobs, the queue's bound is {capacity}: push it in parts"
            )));
        }
        Ok(growth == 0 || list.unfinished() + growth <= capacity)
    }
}

/// The place of a call among the waiting ones. Other calls move up when it is dropped.
struct Ticket<'a>(&'a ListQueue, u64);

impl<'a> Ticket<'a> {
    fn take(queue: &'a ListQueue, join: impl FnOnce(&mut State, u64)) -> Result<Self, QueueError> {
        let mut state = queue.lock();
        if state.is_closed {
            return Err(QueueError::closed());
        }
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        join(&mut state, ticket);
        Ok(Self(queue, ticket))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.claims.retain(|(ticket, _)| *ticket != self.1);
        state.pushes.retain(|ticket| *ticket != self.1);
        drop(state);
        self.0.0.changed.notify_waiters();
    }
}

impl State {
    /// Returns whether no earlier claim can take a ready job.
    fn is_turn_of(&self, ticket: u64) -> bool {
        let mut earlier = self.claims.iter().take_while(|(other, _)| *other < ticket);
        earlier.all(|(_, demand)| self.list.ready(demand).is_empty())
    }
}

#[async_trait]
impl Queue for ListQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let batch = self.read(|list| list.check(jobs))?;
        let ticket = Ticket::take(self, |state, ticket| state.pushes.push(ticket))?;
        self.wait_for(None, |state| {
            // A large batch must not starve, so later pushes wait behind it unless they need no capacity.
            let is_turn = state.pushes.first() == Some(&ticket.1) || state.list.growth(&batch) == 0;
            match self.fits(&state.list, &batch) {
                Err(error) => Some(Err(error)),
                Ok(true) if is_turn => Some(Ok(state.list.store(batch.clone()))),
                Ok(_) if state.is_closed => Some(Err(QueueError::closed())),
                Ok(_) => None,
            }
        })
        .await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let deadline = demand.wait.map(|wait| self.0.clock.now().saturating_add(wait));
        let ticket = Ticket::take(self, |state, ticket| state.claims.push((ticket, demand.clone())))?;
        let answer = self.wait_for(deadline, |state| {
            if state.is_closed {
                return Some(Err(QueueError::closed()));
            }
            let may_lease = state.is_turn_of(ticket.1) && !demand.is_stopped();
            let deliveries = if may_lease { state.list.claim(demand) } else { Vec::new() };
            let is_over = demand.is_stopped() || deadline.is_some_and(|deadline| deadline <= state.list.now);
            (is_over || !deliveries.is_empty()).then_some(Ok(deliveries))
        });
        // Jobs are leased and returned in one poll, so a claim that is dropped or stopped here loses none.
        tokio::select! {
            biased;
            answer = answer => answer,
            () = demand.stopped() => Ok(Vec::new()),
        }
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.change(|list| heartbeats.iter().map(|heartbeat| list.renew(heartbeat)).collect()))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.change(|list| list.settle(settlements))
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Some(&self.0.expiries)
    }
}
