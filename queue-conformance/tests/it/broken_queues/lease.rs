//! Bugs in leases.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Admin as _, Clock as _, Delivery, Demand, Fence, Heartbeat, JobId, JobRecord, Lease, NewJob, Queue as _,
    QueueError, Receipt, Renewal, Settled, Settlement,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

type Claimed = Result<Vec<Delivery>, QueueError>;
type Renewed = Result<Vec<Renewal>, QueueError>;

/// Replaces the fence of each lease by the job's current fence.
async fn with_present_fences(queue: &ModelQueue, mut leases: Vec<Lease>) -> Result<Vec<Lease>, QueueError> {
    for lease in &mut leases {
        if let Some(job) = queue.get(lease.job).await? {
            lease.fence = job.fence;
        }
    }
    Ok(leases)
}

async fn settle_whatever_the_fence(
    queue: &ModelQueue,
    mut batch: Vec<Settlement>,
) -> Result<Vec<Settled>, QueueError> {
    let leases = batch.iter().map(|settlement| settlement.lease.clone()).collect();
    for (settlement, lease) in batch.iter_mut().zip(with_present_fences(queue, leases).await?) {
        settlement.lease = lease;
    }
    queue.settle(batch).await
}

#[derive(Default)]
pub(super) struct NeverExpires;

#[async_trait]
impl Bug for NeverExpires {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut deliveries = queue.claim(&demand.clone().lease(Duration::MAX)).await?;
        for lease in deliveries.iter_mut().map(|delivery| &mut delivery.lease) {
            lease.length = demand.lease;
            lease.expires_at = queue.clock().now().saturating_add(demand.lease);
        }
        Ok(deliveries)
    }
}

#[derive(Default)]
pub(super) struct RenewsNothing;

#[async_trait]
impl Bug for RenewsNothing {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Renewed {
        let now = queue.clock().now();
        let held = |heartbeat: &Heartbeat| Renewal::held(now.saturating_add(heartbeat.lease.length), None);
        Ok(heartbeats.iter().map(held).collect())
    }
}

#[derive(Default)]
pub(super) struct ShowsFirstEnd;

#[async_trait]
impl Bug for ShowsFirstEnd {
    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut record = queue.get(id).await?;
        if let Some(record) = record.as_mut().filter(|record| record.lease_expires_at.is_some()) {
            record.lease_expires_at = record.claimed_at.map(|at| at.saturating_add(Lease::DEFAULT_LENGTH));
        }
        Ok(record)
    }
}

#[derive(Default)]
pub(super) struct NeverLost;

#[async_trait]
impl Bug for NeverLost {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Renewed {
        let expires_at = queue.clock().now().saturating_add(Lease::DEFAULT_LENGTH);
        let held = |renewal| match renewal {
            Renewal::Lost => Renewal::held(expires_at, None),
            held => held,
        };
        Ok(queue.renew(heartbeats).await?.into_iter().map(held).collect())
    }
}

#[derive(Default)]
pub(super) struct NoFence;

#[async_trait]
impl Bug for NoFence {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        settle_whatever_the_fence(queue, batch).await
    }
}

#[derive(Default)]
pub(super) struct AlwaysApplied;

#[async_trait]
impl Bug for AlwaysApplied {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let settled = queue.settle(batch).await?;
        Ok(vec![Settled::Applied; settled.len()])
    }
}

/// Delivers a job whose lease expired to two claims.
#[derive(Default)]
pub(super) struct RaceAtExpiry(Mutex<Option<Delivery>>);

#[async_trait]
impl Bug for RaceAtExpiry {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        if let Some(again) = self.0.lock().expect("the lock is not poisoned").take() {
            return Ok(vec![again]);
        }
        let deliveries = queue.claim(demand).await?;
        *self.0.lock().expect("the lock is not poisoned") =
            deliveries.iter().find(|delivery| delivery.attempt > 2).cloned();
        Ok(deliveries)
    }
}

#[derive(Default)]
pub(super) struct OneMoreAttempt;

#[async_trait]
impl Bug for OneMoreAttempt {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        jobs.iter_mut().for_each(|job| job.max_attempts += 1);
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct AttemptAsFence;

#[async_trait]
impl Bug for AttemptAsFence {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Claimed {
        let mut deliveries = queue.claim(demand).await?;
        for delivery in &mut deliveries {
            delivery.lease.fence = Fence(delivery.attempt.into());
        }
        Ok(deliveries)
    }

    async fn get(
        &self,
        queue: &ModelQueue,
        id: queue_core::JobId,
    ) -> Result<Option<queue_core::JobRecord>, QueueError> {
        let mut job = queue.get(id).await?;
        if let Some(job) = &mut job {
            job.fence = Fence(job.attempt.into());
        }
        Ok(job)
    }

    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Renewed {
        let leases = heartbeats.iter().map(|heartbeat| heartbeat.lease.clone()).collect();
        queue.renew(&Heartbeat::of(&with_present_fences(queue, leases).await?)).await
    }

    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        settle_whatever_the_fence(queue, batch).await
    }
}

/// Renews by the default length, ignoring the lease's own.
#[derive(Default)]
pub(super) struct RenewsByTheDefault;

#[async_trait]
impl Bug for RenewsByTheDefault {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Renewed {
        let mut heartbeats = heartbeats.to_vec();
        heartbeats.iter_mut().for_each(|heartbeat| heartbeat.lease.length = Lease::DEFAULT_LENGTH);
        queue.renew(&heartbeats).await
    }
}
