//! Bugs in discards.

use async_trait::async_trait;
use queue_core::backend::ExpiryFeed;
use queue_core::{
    Admin as _, Delivery, Demand, NewJob, Queue as _, QueueError, Receipt, Settled, Settlement, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Drops the `on_discard` of pushed jobs.
#[derive(Default)]
pub(super) struct DropsOnDiscard;

#[async_trait]
impl Bug for DropsOnDiscard {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        jobs.iter_mut().for_each(|job| job.on_discard = None);
        queue.push(jobs).await
    }
}

/// Stores the job of a discard before it knows whether the discard applies.
#[derive(Default)]
pub(super) struct StoresOnStaleDiscards;

#[async_trait]
impl Bug for StoresOnStaleDiscards {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        for settlement in &batch {
            let record = queue.get(settlement.lease.job).await?;
            let is_stale = record.as_ref().is_some_and(|record| record.fence != settlement.lease.fence);
            if is_stale
                && matches!(settlement.transition, Transition::Discard { .. })
                && let Some(record) = record
                && let Some(stored) = record.on_discard.clone().and_then(|setting| setting.job_for(record))
            {
                queue.push(vec![stored]).await?;
            }
        }
        queue.settle(batch).await
    }
}

/// Ignores the default of a claim.
#[derive(Default)]
pub(super) struct IgnoresDefaults;

#[async_trait]
impl Bug for IgnoresDefaults {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let mut demand = demand.clone();
        demand.on_discard = None;
        queue.claim(&demand).await
    }
}

/// Reports no job that it finds expired.
#[derive(Default)]
pub(super) struct ReportsNoExpiry;

impl Bug for ReportsNoExpiry {
    fn expiry_feed<'q>(&'q self, _: &'q ModelQueue) -> Option<&'q ExpiryFeed> {
        None
    }
}
