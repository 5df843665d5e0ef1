//! The list behind a lock, with two lists of waiting calls.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use queue_conformance::{Bounded, Fixture};
use queue_core::{
    Admin, Clock as _, Delivery, Demand, Lease, Limits, NewJob, Queue, QueueError, QueueErrorKind, Receipt,
    Renewal, Settled, Settlement, Timestamp,
};
use queue_testkit::VirtualClock;
use tokio::sync::Notify;

use super::list::List;

#[derive(Clone)]
pub(super) struct ListQueue {
    shared: Arc<Shared>,
}

struct Shared {
    clock: VirtualClock,
    bound: Option<usize>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) list: List,
    is_closed: bool,
    last_ticket: u64,
    claimers: Vec<(u64, Demand)>,
    pushers: Vec<u64>,
}

impl ListQueue {
    pub(super) fn new(bound: Option<usize>) -> Self {
        let (clock, changed) = (VirtualClock::new(), Notify::new());
        Self { shared: Arc::new(Shared { clock, bound, state: Mutex::default(), changed }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.list.sweep(self.shared.clock.now());
        state
    }

    /// Reads the list as it is now.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut List) -> T) -> T {
        read(&mut self.lock().list)
    }

    /// Changes the list, and wakes every waiting call.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut List) -> T) -> T {
        let answer = self.read(change);
        self.shared.changed.notify_waiters();
        answer
    }

    /// Polls until there is an answer: now, after every change of the list, and when its time comes.
    async fn until<T>(&self, end: Option<Timestamp>, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = pin!(self.shared.changed.notified());
            let (now, next) = {
                let mut state = self.lock();
                if let Some(answer) = look(&mut state) {
                    return answer;
                }
                (state.list.now, state.list.next_event().into_iter().chain(end).min())
            };
            let Some(next) = next else {
                changed.await;
                continue;
            };
            let wait = self.shared.clock.sleep(next.since(now)); // virtual
            if self.shared.clock.now() == now {
                select(changed, wait).await;
            }
        }
    }

    fn fits(&self, list: &List, jobs: &[NewJob]) -> Result<bool, QueueError> {
        let Some(bound) = self.shared.bound else { return Ok(true) };
        let growth = list.growth(jobs);
        if growth > bound {
            return Err(QueueError::invalid(format!(
                "a batch of {growth} jobs never fits into a queue of {bound}"
            )));
        }
        Ok(growth == 0 || list.unfinished() + growth <= bound)
    }

    fn try_push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let mut state = self.lock();
        let jobs = state.list.checked(jobs)?;
        if !self.fits(&state.list, &jobs)? || (!state.pushers.is_empty() && state.list.growth(&jobs) > 0) {
            return Err(QueueError::new(QueueErrorKind::Full, "no capacity"));
        }
        let receipts = state.list.store(jobs);
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(receipts)
    }
}

/// A waiting call's position, which is freed when the call ends or is dropped.
struct InLine<'a>(&'a ListQueue, u64);

impl<'a> InLine<'a> {
    fn join(queue: &'a ListQueue, join: impl FnOnce(&mut State, u64)) -> Result<Self, QueueError> {
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

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.claimers.retain(|(ticket, _)| *ticket != self.1);
        state.pushers.retain(|ticket| *ticket != self.1);
        drop(state);
        // The next waiting call may be the first now.
        self.0.shared.changed.notify_waiters();
    }
}

#[async_trait]
impl Queue for ListQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let jobs = self.read(|list| list.checked(jobs))?;
        let place = InLine::join(self, |state, ticket| state.pushers.push(ticket))?;
        let look = |state: &mut State| {
            let is_first = state.pushers.first() == Some(&place.1) || state.list.growth(&jobs) == 0;
            match self.fits(&state.list, &jobs) {
                Err(error) => Some(Err(error)),
                Ok(true) if is_first => Some(Ok(state.list.store(jobs.clone()))),
                Ok(_) if state.is_closed => Some(Err(QueueError::closed())),
                Ok(_) => None,
            }
        };
        self.until(None, look).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let end = demand.wait.map(|wait| self.shared.clock.now().saturating_add(wait));
        let place = InLine::join(self, |state, ticket| state.claimers.push((ticket, demand.clone())))?;
        let look = |state: &mut State| {
            let mut earlier = state.claimers.iter().take_while(|(ticket, _)| *ticket < place.1);
            let is_turn = earlier.all(|(_, demand)| state.list.ready(demand).is_empty());
            if state.is_closed {
                return Some(Err(QueueError::closed()));
            }
            let deliveries =
                if is_turn && !demand.is_stopped() { state.list.lease(demand) } else { Vec::new() };
            let is_over = demand.is_stopped() || end.is_some_and(|end| end <= state.list.now);
            (is_over || !deliveries.is_empty()).then_some(Ok(deliveries))
        };
        let answer = pin!(self.until(end, look));
        match select(answer, pin!(demand.stopped())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Ok(Vec::new()),
        }
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        Ok(self.change(|list| leases.iter().map(|lease| list.renew(lease)).collect()))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        Limits::default().check_followups(&settlements)?;
        self.change(|list| {
            let check = |mut settlement: Settlement| {
                settlement.followups = list.checked(settlement.followups)?;
                Ok(settlement)
            };
            let checked = settlements.into_iter().map(check).collect::<Result<Vec<_>, QueueError>>()?;
            Ok(checked.into_iter().map(|settlement| list.settle(settlement)).collect())
        })
    }
}

#[async_trait]
impl Fixture for ListQueue {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.clone())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    async fn close(&self) {
        self.lock().is_closed = true;
        self.shared.changed.notify_waiters();
    }

    /// The list outlives its handles here, so that the laws about restarts apply.
    async fn reopen(&self) -> Option<Arc<dyn Admin>> {
        Some(Arc::new(self.clone()))
    }

    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let queue = Self::new(Some(capacity as usize));
        let pusher = queue.clone();
        let try_push = Box::new(move |jobs| std::future::ready(pusher.try_push(jobs)).boxed());
        Some(Bounded { queue: Arc::new(queue), try_push })
    }
}
