//! Stores that do not handle faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::durable::{OpenCase, Store as _};
use queue_core::admin::LimitRecord;
use queue_core::{
    Admin, Delivery, Demand, JobId, NewJob, QueueError, QueueLimits, Receipt, Settled, Settlement, Transition,
};
use tokio::sync::OnceCell;

use super::broken::Bug;
use crate::durable::{OnDisk, open};

/// Keeps the broken connection after an error.
#[derive(Default)]
pub(super) struct NeverRecovers(AtomicBool);

#[async_trait]
impl Bug for NeverRecovers {
    const MESSAGE: &str = "a push after another program keeps the file locked, repeated until it succeeds";

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(QueueError::unavailable("the connection is broken"));
        }
        queue.push(jobs).await.inspect_err(|_| self.0.store(true, Ordering::SeqCst))
    }
}

/// Opens another file if it can't read the given one.
#[derive(Default)]
pub(super) struct OpensAnotherFile;

#[async_trait]
impl Bug for OpensAnotherFile {
    const MESSAGE: &str = "a file that is not a database was opened, and must be refused";

    async fn unopenable(disk: &OnDisk) -> Vec<OpenCase<String>> {
        let mut refusals = disk.unopenable().await;
        for refusal in &mut refusals {
            if refusal.what == "a file that is not a database" {
                let builder = disk.builder();
                refusal.open = Box::pin(open(builder));
            }
        }
        refusals
    }
}

/// Computes leases by the clock of the client, which is an hour fast.
#[derive(Default)]
pub(super) struct ClientClock;

#[async_trait]
impl Bug for ClientClock {
    const MESSAGE: &str = "was to run again a minute later, by the queue's clock";

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let mut deliveries = queue.claim(demand).await?;
        for delivery in &mut deliveries {
            let lease = &mut delivery.lease;
            lease.expires_at = lease.expires_at.saturating_add(Duration::from_secs(60 * 60));
        }
        Ok(deliveries)
    }
}

/// Loses a job in an upgrade.
#[derive(Default)]
pub(super) struct LosesOnUpgrade;

#[async_trait]
impl Bug for LosesOnUpgrade {
    const MESSAGE: &str = "of a file of version 1 is missing";

    async fn old_versions(disk: &OnDisk) -> Vec<OpenCase<JobId>> {
        let upgrades = disk.old_versions().await.into_iter();
        let broken = upgrades.map(|upgrade| {
            let first = upgrade.expected.first().copied();
            let open = upgrade.open;
            let open = Box::pin(async move {
                let queue = open.await?;
                queue.delete(first.expect("a job")).await?;
                Ok(queue)
            });
            OpenCase { open, ..upgrade }
        });
        broken.collect()
    }
}

/// Does not poll for jobs of other processes.
#[derive(Default)]
pub(super) struct OnlyListens;

#[async_trait]
impl Bug for OnlyListens {
    const MESSAGE: &str = "a claim that gets no notification did not answer";

    async fn deaf(disk: &OnDisk, _: Duration) -> Option<Arc<dyn Admin>> {
        disk.open_without_notifications(Duration::from_secs(60 * 60)).await
    }
}

/// Refuses a settlement whose text is not ASCII.
#[derive(Default)]
pub(super) struct StoresOnlyAscii;

#[async_trait]
impl Bug for StoresOnlyAscii {
    const MESSAGE: &str = "a settlement with the text";

    async fn settle(
        &self,
        queue: &Arc<dyn Admin>,
        settlements: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        let is_unknown = |settlement: &Settlement| match &settlement.transition {
            Transition::Retry { error, .. } | Transition::Discard { error } => !error.is_ascii(),
            _ => false,
        };
        if settlements.iter().any(is_unknown) {
            return Err(QueueError::invalid("the text is not ASCII"));
        }
        queue.settle(settlements).await
    }
}

/// Acknowledges jobs that were refused.
#[derive(Default)]
pub(super) struct AcknowledgesErrors;

#[async_trait]
impl Bug for AcknowledgesErrors {
    const MESSAGE: &str = "and another program does not find the job";

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let known: Vec<_> = jobs.iter().map(|job| job.id.unwrap_or_else(JobId::random)).collect();
        let pushed = queue.push(jobs).await;
        Ok(pushed.unwrap_or_else(|_| known.into_iter().map(Receipt::Stored).collect()))
    }
}

/// Retries a push in the background after it reported an error.
#[derive(Default)]
pub(super) struct RetriesAfterError;

#[async_trait]
impl Bug for RetriesAfterError {
    const MESSAGE: &str = "a push was refused as unavailable, and its jobs are stored";

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let pushed = queue.push(jobs.clone()).await;
        if pushed.is_err() {
            let queue = queue.clone();
            tokio::spawn(async move { while queue.push(jobs.clone()).await.is_err() {} });
        }
        pushed
    }
}

/// Claims without limits.
#[derive(Default)]
pub(super) struct IgnoresLimits;

#[async_trait]
impl Bug for IgnoresLimits {
    const MESSAGE: &str = "one job of each partition must start";

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        for name in &demand.queues {
            queue.declare_limits(name, &QueueLimits::none()).await?;
            for scope in queue.limits(name).await?.into_iter().map(|record| record.scope) {
                queue.set_limit(name, &scope, None).await?;
            }
        }
        queue.claim(demand).await
    }
}

/// Claims by the limits that were in force at the first claim of the process.
#[derive(Default)]
pub(super) struct ReadsLimitsOnce(OnceCell<Vec<LimitRecord>>);

#[async_trait]
impl Bug for ReadsLimitsOnce {
    const MESSAGE: &str = "no job may start above the limit of";

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        for name in &demand.queues {
            for record in self.0.get_or_try_init(|| queue.limits(name)).await? {
                queue.set_limit(name, &record.scope, record.set.or(record.declared)).await?;
            }
        }
        queue.claim(demand).await
    }
}
