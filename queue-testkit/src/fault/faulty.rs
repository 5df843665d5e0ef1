//! The decorator that applies faults to the calls on a queue.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Admin, Clock, Delivery, Demand, Heartbeat, Lease, NewJob, Queue, QueueError, Receipt, Renewal, Settled,
    Settlement, Transition,
};

use super::script::Faults;
use super::{Fault, FaultSource, Operation};

/// How long a call waits before it fails if it can't reach the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// A decorator that injects faults into a queue.
pub struct Faulty<Q, S = Faults> {
    queue: Q,
    faults: S,
    clock: Box<dyn Clock>,
    /// The jobs that the next claim delivers a second time.
    again: Mutex<Vec<Delivery>>,
}

impl<Q: Queue> Faulty<Q> {
    /// Wraps a queue. Without entries in [`faults`](Self::faults), every call passes through. Delays are measured by `clock`.
    pub fn new(queue: Q, clock: impl Clock) -> Self {
        Self::with_source(queue, clock, Faults::default())
    }
}

impl<Q: Queue, S: FaultSource> Faulty<Q, S> {
    /// Wraps a queue whose faults a source decides. Delays are measured by `clock`.
    pub fn with_source(queue: Q, clock: impl Clock, faults: S) -> Self {
        Self { queue, faults, clock: Box::new(clock), again: Mutex::default() }
    }

    /// Returns the source of the faults: for [`new`](Faulty::new), the script.
    pub fn faults(&self) -> &S {
        &self.faults
    }

    /// Carries a call to the queue: delays or fails it if the source decides so. Returns the faults of the call.
    async fn send(&self, operation: Operation) -> Result<Vec<Fault>, QueueError> {
        let faults = self.faults.next(operation);
        self.wait(self.faults.latency()).await;
        for fault in &faults {
            if let Fault::Delay(delay) = fault {
                self.wait(*delay).await;
            }
        }
        if faults.contains(&Fault::HangBefore) {
            std::future::pending::<()>().await;
        }
        if self.faults.is_cut_off() {
            self.wait(PATIENCE).await;
            return Err(failed(operation, "could not reach the queue"));
        }
        if faults.contains(&Fault::FailBefore) {
            return Err(failed(operation, "failed before it was applied"));
        }
        Ok(faults)
    }

    /// Carries an answer back to the caller.
    async fn receive<T>(&self, operation: Operation, faults: &[Fault], answer: T) -> Result<T, QueueError> {
        self.wait(self.faults.latency()).await;
        if faults.contains(&Fault::HangAfter) {
            std::future::pending::<()>().await;
        }
        if faults.contains(&Fault::FailAfter) || self.faults.is_cut_off() {
            return Err(failed(operation, "failed after it was applied"));
        }
        Ok(answer)
    }

    async fn wait(&self, duration: Duration) {
        if duration > Duration::ZERO {
            self.clock.sleep(duration).await;
        }
    }

    /// Takes the leases away from their holder by releasing the jobs, as if they had expired and other workers claimed them.
    async fn lose(&self, leases: impl Iterator<Item = &Lease> + Send) -> Result<(), QueueError> {
        let releases = leases.map(|lease| Settlement::new(lease.clone(), Transition::Release)).collect();
        self.queue.settle(releases).await.map(drop)
    }

    fn again(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(operation: Operation, how: &str) -> QueueError {
    QueueError::unavailable(format!("injected fault: {operation} {how}"))
}

#[async_trait]
impl<Q: Queue, S: FaultSource> Decorator for Faulty<Q, S> {
    type Inner = Q;

    fn inner(&self) -> &Q {
        &self.queue
    }

    fn push_at_once(&self, _: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        None // so that each job passes through `push`
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let faults = self.send(Operation::Push).await?;
        let receipts = self.queue.push(jobs).await?;
        self.receive(Operation::Push, &faults, receipts).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let faults = self.send(Operation::Claim).await?;
        let again = std::mem::take(&mut *self.again());
        let deliveries = if again.is_empty() { self.queue.claim(demand).await? } else { again };
        if faults.contains(&Fault::DeliverTwice) {
            self.again().clone_from(&deliveries);
        }
        if faults.contains(&Fault::LoseLease) {
            self.lose(deliveries.iter().map(|delivery| &delivery.lease)).await?;
        }
        self.receive(Operation::Claim, &faults, deliveries).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let faults = self.send(Operation::Renew).await?;
        if faults.contains(&Fault::LoseLease) {
            self.lose(heartbeats.iter().map(|heartbeat| &heartbeat.lease)).await?;
        }
        let renewals = self.queue.renew(heartbeats).await?;
        self.receive(Operation::Renew, &faults, renewals).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let faults = self.send(Operation::Settle).await?;
        if faults.contains(&Fault::LoseLease) {
            self.lose(settlements.iter().map(|settlement| &settlement.lease)).await?;
        }
        let settled = self.queue.settle(settlements).await?;
        self.receive(Operation::Settle, &faults, settled).await
    }
}

/// Operators' calls have no faults.
impl<Q: Admin, S: FaultSource> AdminDecorator for Faulty<Q, S> {}

impl<Q: fmt::Debug, S: fmt::Debug> fmt::Debug for Faulty<Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("queue", &self.queue)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
