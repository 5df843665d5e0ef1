//! Bugs in limits.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin as _, Clock as _, Delivery, Demand, Limit, LimitScope, NewJob, Queue as _, QueueError, QueueLimits,
    QueueName, Receipt, Settled, Settlement, State, Timestamp,
};
use queue_testkit::ModelQueue;
use tokio::sync::Notify;

use super::broken::Bug;

/// Returns the limits with each of them changed.
fn changed(limits: &QueueLimits, change: fn(Limit) -> Limit) -> QueueLimits {
    limits.iter().fold(QueueLimits::none(), |all, (scope, limit)| all.and(scope.clone(), change(*limit)))
}

/// Generates a bug that stores each limit with a change.
macro_rules! stores_another_limit {
    ($(#[$doc:meta])* $bug:ident, $change:expr) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $bug;

        #[async_trait]
        impl Bug for $bug {
            async fn declare_limits(
                &self,
                queue: &ModelQueue,
                name: &QueueName,
                limits: &QueueLimits,
            ) -> Result<(), QueueError> {
                queue.declare_limits(name, &changed(limits, $change)).await
            }

            async fn set_limit(
                &self,
                queue: &ModelQueue,
                name: &QueueName,
                scope: &LimitScope,
                limit: Option<Limit>,
            ) -> Result<(), QueueError> {
                queue.set_limit(name, scope, limit.map($change)).await
            }
        }
    };
}

stores_another_limit! {
    /// Compares before it adds the job that starts.
    OneMore, |mut limit| {
        limit.running = limit.running.map(|most| most.saturating_add(1));
        limit
    }
}

stores_another_limit! {
    /// Refills at `starts` in each window whatever the burst is, so that a window has a burst more.
    TokenBucket, |mut limit| {
        if let Some(rate) = &mut limit.rate {
            rate.starts += rate.burst - 1;
        }
        limit
    }
}

stores_another_limit! {
    NoWeights, |mut limit| {
        limit.weight = 1;
        limit
    }
}

/// Claims as many jobs from a queue with limits as from any other.
#[derive(Default)]
pub(super) struct FillsTheBuffer;

#[async_trait]
impl Bug for FillsTheBuffer {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let mut demand = demand.clone();
        demand.startable = None;
        queue.claim(&demand).await
    }
}

/// Claims ready jobs until there is one, if the claim may wait. Waits for `changed`, and until the instant that `until` returns.
async fn claim_at_events<F: Future<Output = Option<Timestamp>>>(
    queue: &ModelQueue,
    demand: &Demand,
    changed: &Notify,
    until: impl Fn() -> F,
) -> Result<Vec<Delivery>, QueueError> {
    loop {
        let is_changed = changed.notified();
        let ready = queue.claim(&demand.clone().wait(Duration::ZERO)).await?;
        if !ready.is_empty() || demand.wait.is_some() {
            return Ok(ready);
        }
        let clock = queue.clock();
        match until().await {
            None => is_changed.await,
            Some(at) => tokio::select! {
                () = is_changed => {}
                () = clock.sleep(at.since(clock.now())) => {} // virtual
            },
        }
    }
}

/// Wakes claims for pushes, for changes of limits, and whenever time passes, but not for a settlement.
#[derive(Default)]
pub(super) struct SettlementsWakeNoClaim(Notify);

#[async_trait]
impl Bug for SettlementsWakeNoClaim {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let receipts = queue.push(jobs).await;
        self.0.notify_waiters();
        receipts
    }

    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let soon = || async { Some(queue.clock().now().saturating_add(Duration::from_micros(1))) };
        claim_at_events(queue, demand, &self.0, soon).await
    }
}

/// Waits for jobs that become due and for leases that expire, not for a limit that lets a job start later.
#[derive(Default)]
pub(super) struct WaitsForJobsOnly(Notify);

#[async_trait]
impl Bug for WaitsForJobsOnly {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let receipts = queue.push(jobs).await;
        self.0.notify_waiters();
        receipts
    }

    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let settled = queue.settle(batch).await;
        self.0.notify_waiters();
        settled
    }

    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        claim_at_events(queue, demand, &self.0, || next_of_jobs(queue)).await
    }
}

/// Returns the earliest due time or end of a lease.
async fn next_of_jobs(queue: &ModelQueue) -> Option<Timestamp> {
    let waiting = Filter::all().state(State::Scheduled).state(State::Retryable).state(State::Executing);
    let jobs = queue.list(&waiting, &PageRequest::first(1000)).await.ok()?.jobs;
    jobs.iter().map(|job| job.lease_expires_at.unwrap_or(job.run_at)).min()
}

/// Takes back the limits that operators have set when a program declares its own.
#[derive(Default)]
pub(super) struct DeclarationsTakeBack;

#[async_trait]
impl Bug for DeclarationsTakeBack {
    async fn declare_limits(
        &self,
        queue: &ModelQueue,
        name: &QueueName,
        limits: &QueueLimits,
    ) -> Result<(), QueueError> {
        for record in queue.limits(name).await? {
            queue.set_limit(name, &record.scope, None).await?;
        }
        queue.declare_limits(name, limits).await
    }
}
