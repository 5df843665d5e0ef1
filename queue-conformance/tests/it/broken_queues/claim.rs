//! Bugs in claims.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin as _, Clock as _, Delivery, Demand, NewJob, Queue as _, QueueError, Receipt, State};
use queue_testkit::ModelQueue;
use tokio::sync::Notify;

use super::broken::Bug;

type Claimed = Result<Vec<Delivery>, QueueError>;

/// Claims ready jobs.
async fn claim_ready(queue: &ModelQueue, demand: &Demand) -> Claimed {
    queue.claim(&demand.clone().wait(Duration::ZERO)).await
}

#[derive(Default)]
pub(super) struct QueuesSorted;

#[async_trait]
impl Bug for QueuesSorted {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut demand = demand.clone();
        demand.queues.sort_unstable();
        queue.claim(&demand).await
    }
}

/// Sleeps until the time of the first job that it saw, even if an earlier job is pushed meanwhile.
#[derive(Default)]
pub(super) struct Oversleeps;

#[async_trait]
impl Bug for Oversleeps {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let scheduled = queue.list(&Filter::all().state(State::Scheduled), &PageRequest::first(100)).await?;
        let Some(first) = scheduled.jobs.iter().map(|job| job.run_at).min() else {
            return queue.claim(demand).await;
        };
        let ready = claim_ready(queue, demand).await?;
        if ready.is_empty() && demand.wait.is_none() {
            let clock = queue.clock();
            clock.sleep(first.since(clock.now())).await; // virtual
            return queue.claim(demand).await;
        }
        Ok(ready)
    }
}

#[derive(Default)]
pub(super) struct OneTooMany;

#[async_trait]
impl Bug for OneTooMany {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut demand = demand.clone();
        demand.max += 1;
        queue.claim(&demand).await
    }
}

/// Delivers every fifth job to the next claim, too.
#[derive(Default)]
pub(super) struct DeliversTwice {
    delivered: AtomicUsize,
    again: Mutex<Option<Delivery>>,
}

#[async_trait]
impl Bug for DeliversTwice {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        if let Some(again) = self.again.lock().expect("the lock is not poisoned").take() {
            return Ok(vec![again]);
        }
        let deliveries = queue.claim(demand).await?;
        for delivery in &deliveries {
            if self.delivered.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                *self.again.lock().expect("the lock is not poisoned") = Some(delivery.clone());
            }
        }
        Ok(deliveries)
    }
}

/// Continues after its caller is gone, and leases a job that no worker receives.
#[derive(Default)]
pub(super) struct OutlivesItsCaller;

#[async_trait]
impl Bug for OutlivesItsCaller {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let (queue, demand) = (queue.clone(), demand.clone());
        tokio::spawn(async move { queue.claim(&demand).await }).await.expect("the queue does not panic")
    }
}

#[derive(Default)]
pub(super) struct Spins;

#[async_trait]
impl Bug for Spins {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let end = demand.wait.map(|wait| queue.clock().now().saturating_add(wait));
        loop {
            let ready = claim_ready(queue, demand).await?;
            if !ready.is_empty() || end.is_some_and(|end| end <= queue.clock().now()) {
                return Ok(ready);
            }
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Default)]
pub(super) struct WaitsForEver;

#[async_trait]
impl Bug for WaitsForEver {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut demand = demand.clone();
        demand.wait = demand.wait.filter(Duration::is_zero);
        queue.claim(&demand).await
    }
}

/// Wakes one claim per push, even if the push has several jobs.
#[derive(Default)]
pub(super) struct WakesOne(Notify);

#[async_trait]
impl Bug for WakesOne {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let receipts = queue.push(jobs).await;
        self.0.notify_one();
        receipts
    }

    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        loop {
            let ready = claim_ready(queue, demand).await?;
            if !ready.is_empty() || demand.wait.is_some() {
                return Ok(ready);
            }
            self.0.notified().await;
        }
    }
}

#[derive(Default)]
pub(super) struct WaitsOnTheFirst;

#[async_trait]
impl Bug for WaitsOnTheFirst {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let ready = claim_ready(queue, demand).await?;
        if !ready.is_empty() {
            return Ok(ready);
        }
        let mut demand = demand.clone();
        demand.queues.truncate(1);
        queue.claim(&demand).await
    }
}

/// Answers a stopped claim, and later leases jobs for it.
#[derive(Default)]
pub(super) struct StopLeavesALease;

#[async_trait]
impl Bug for StopLeavesALease {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let (queue, mut on) = (queue.clone(), demand.clone());
        on.stop = None;
        let claim = tokio::spawn(async move { queue.claim(&on).await });
        tokio::select! {
            biased;
            () = demand.stopped() => Ok(Vec::new()),
            claimed = claim => claimed.expect("the queue does not panic"),
        }
    }
}

/// Ignores the stop signal.
#[derive(Default)]
pub(super) struct DeafToStops;

#[async_trait]
impl Bug for DeafToStops {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut demand = demand.clone();
        demand.stop = None;
        queue.claim(&demand).await
    }
}

#[derive(Default)]
pub(super) struct CloseWakesNoClaim(AtomicBool);

#[async_trait]
impl Bug for CloseWakesNoClaim {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        if self.0.load(Ordering::Relaxed) { Err(QueueError::closed()) } else { queue.push(jobs).await }
    }

    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        if self.0.load(Ordering::Relaxed) { Err(QueueError::closed()) } else { queue.claim(demand).await }
    }

    fn close(&self, _queue: &ModelQueue) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(super) struct NinthClaimFails(AtomicUsize);

#[async_trait]
impl Bug for NinthClaimFails {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        if self.0.fetch_add(1, Ordering::Relaxed) == 8 {
            return Err(QueueError::invalid("the ninth claim"));
        }
        queue.claim(demand).await
    }
}
