//! Faults between a caller and its queue, scripted by the test or drawn at random from a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Clock, Delivery, Demand, Heartbeat, Lease, NewJob, Queue, QueueError, Receipt, Renewal, Settled,
    Settlement, Transition,
};

/// An operation of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Queue::push`].
    Push,
    /// [`Queue::claim`].
    Claim,
    /// [`Queue::renew`].
    Renew,
    /// [`Queue::settle`].
    Settle,
}

/// A failure that a test injects into one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call fails as `Unavailable` and has no effect.
    FailBefore,
    /// The call takes effect and then fails as `Unavailable`: the answer is lost.
    ///
    /// Jobs that such a claim leased belong to no worker until their leases expire.
    FailAfter,
    /// The answer is late by this duration.
    Delay(Duration),
    /// The call has no effect and is never answered. A caller without a timeout waits for ever.
    NoAnswer,
    /// The next claim delivers the jobs of this claim a second time, under the same leases.
    DeliverTwice,
    /// The call's leases are lost to other workers just before the call (just after it, for a claim).
    LoseLease,
}

impl Fault {
    const SLOW: Self = Self::Delay(Duration::from_millis(20));

    /// Returns the faults that may be drawn at random for an operation.
    const fn of(operation: Operation) -> &'static [Self] {
        match operation {
            Operation::Push => &[Self::FailBefore, Self::FailAfter, Self::SLOW],
            Operation::Claim => {
                &[Self::FailBefore, Self::FailAfter, Self::SLOW, Self::DeliverTwice, Self::LoseLease]
            }
            Operation::Renew | Operation::Settle => {
                &[Self::FailBefore, Self::FailAfter, Self::SLOW, Self::LoseLease]
            }
        }
    }
}

/// The faults to inject into a queue. Cheap to clone; clones share one script.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    done: BTreeMap<Operation, u32>,
    scripted: BTreeMap<(Operation, u32), Fault>,
    random: Option<(fastrand::Rng, u32)>,
}

impl Faults {
    /// Injects `fault` into the nth call of an operation from now on, counted from 1.
    pub fn on(&self, operation: Operation, nth: u32, fault: Fault) {
        let mut script = self.lock();
        let done = script.done.get(&operation).copied().unwrap_or_default();
        script.scripted.insert((operation, done + nth), fault);
    }

    /// Injects a fault into one of `one_in` calls on average from now on, drawn from the seed. Zero turns this off.
    pub fn randomly(&self, seed: u64, one_in: u32) {
        self.lock().random = (one_in > 0).then(|| (fastrand::Rng::with_seed(seed), one_in));
    }

    /// Counts a call and returns the fault to inject into it.
    pub(crate) fn next(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.lock();
        let done = script.done.entry(operation).or_default();
        *done += 1;
        let nth = *done;
        if let Some(fault) = script.scripted.remove(&(operation, nth)) {
            return Some(fault);
        }
        let (random, one_in) = script.random.as_mut()?;
        if random.u32(0..*one_in) > 0 {
            return None;
        }
        random.choice(Fault::of(operation)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decorator that injects faults into a queue.
#[derive(Debug)]
pub struct Faulty<Q> {
    queue: Q,
    faults: Faults,
    clock: Box<dyn ClockDebug>,
    again: Mutex<Vec<Delivery>>,
}

trait ClockDebug: Clock + std::fmt::Debug {}

impl<C: Clock + std::fmt::Debug> ClockDebug for C {}

impl<Q: Queue> Faulty<Q> {
    /// Wraps a queue. Without entries in [`faults`](Self::faults), every call passes through. Delays are measured by `clock`.
    pub fn new(queue: Q, clock: impl Clock + std::fmt::Debug) -> Self {
        Self { queue, faults: Faults::default(), clock: Box::new(clock), again: Mutex::default() }
    }

    /// Returns the script of faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Begins a call: delays it or fails it if the script says so. Returns the fault that remains to be applied.
    async fn begin(&self, operation: Operation) -> Result<Option<Fault>, QueueError> {
        let fault = self.faults.next(operation);
        match fault {
            Some(Fault::FailBefore) => Err(failed(operation, "before it was applied")),
            Some(Fault::Delay(delay)) => {
                self.clock.sleep(delay).await;
                Ok(None)
            }
            Some(Fault::NoAnswer) => std::future::pending().await,
            other => Ok(other),
        }
    }

    /// Takes the leases away from their holder by releasing the jobs, as if they had expired and other workers claimed them.
    async fn lose(&self, leases: impl Iterator<Item = &Lease> + Send) -> Result<(), QueueError> {
        let releases = leases.map(|lease| Settlement::new(lease.clone(), Transition::Release)).collect();
        self.queue.settle(releases).await.map(drop)
    }
}

fn failed(operation: Operation, when: &str) -> QueueError {
    QueueError::unavailable(format!("injected fault: {operation:?} failed {when}").to_lowercase())
}

fn answered<T>(operation: Operation, fault: Option<Fault>, answer: T) -> Result<T, QueueError> {
    match fault {
        Some(Fault::FailAfter) => Err(failed(operation, "after it was applied")),
        _ => Ok(answer),
    }
}

#[async_trait]
impl<Q: Queue> Queue for Faulty<Q> {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let fault = self.begin(Operation::Push).await?;
        let receipts = self.queue.push(jobs).await?;
        answered(Operation::Push, fault, receipts)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let fault = self.begin(Operation::Claim).await?;
        let again = std::mem::take(&mut *self.again.lock().unwrap_or_else(PoisonError::into_inner));
        let deliveries = if again.is_empty() { self.queue.claim(demand).await? } else { again };
        match fault {
            Some(Fault::DeliverTwice) => {
                self.again.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&deliveries);
            }
            Some(Fault::LoseLease) => self.lose(deliveries.iter().map(|delivery| &delivery.lease)).await?,
            _ => {}
        }
        answered(Operation::Claim, fault, deliveries)
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let fault = self.begin(Operation::Renew).await?;
        if fault == Some(Fault::LoseLease) {
            self.lose(heartbeats.iter().map(|heartbeat| &heartbeat.lease)).await?;
        }
        let renewals = self.queue.renew(heartbeats).await?;
        answered(Operation::Renew, fault, renewals)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let fault = self.begin(Operation::Settle).await?;
        if fault == Some(Fault::LoseLease) {
            self.lose(settlements.iter().map(|settlement| &settlement.lease)).await?;
        }
        let settled = self.queue.settle(settlements).await?;
        answered(Operation::Settle, fault, settled)
    }
}
