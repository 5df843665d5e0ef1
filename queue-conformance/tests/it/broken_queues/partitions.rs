//! Bugs in partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use queue_core::admin::{Filter, JobPage, PageRequest, QueueUsage, Reason, UsageRequest};
use queue_core::{
    Admin as _, Delivery, Demand, NewJob, Partition, Queue as _, QueueError, Receipt, Settled, Settlement,
    State, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Delivers nothing while the first ready job, by priority and time, may not start.
#[derive(Default)]
pub(super) struct FirstJobHoldsUpAll;

#[async_trait]
impl Bug for FirstJobHoldsUpAll {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let ready = queue.list(&Filter::all().state(State::Available), &PageRequest::first(1000)).await?.jobs;
        let ready = ready.iter().filter(|job| demand.queues.contains(&job.queue));
        if let Some(first) = ready.min_by_key(|job| (job.priority, job.run_at)) {
            let reasons = queue.explain(first.id).await?;
            let is_held =
                |reason: &Reason| matches!(reason, Reason::AtLimit { .. } | Reason::RateLimited { .. });
            if demand.wait.is_some() && reasons.iter().any(is_held) {
                return Ok(Vec::new());
            }
        }
        queue.claim(demand).await
    }
}

/// Returns the jobs of a claim partition by partition.
#[derive(Default)]
pub(super) struct Grouped;

#[async_trait]
impl Bug for Grouped {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let mut deliveries = queue.claim(demand).await?;
        let mut first = BTreeMap::new();
        for delivery in &deliveries {
            let next = first.len();
            first.entry((delivery.queue.clone(), delivery.partition.clone())).or_insert(next);
        }
        deliveries.sort_by_key(|delivery| first[&(delivery.queue.clone(), delivery.partition.clone())]);
        Ok(deliveries)
    }
}

/// Snoozes the job that asked for a pause, and forgets its partition.
#[derive(Default)]
pub(super) struct ThrottleSnoozes;

#[async_trait]
impl Bug for ThrottleSnoozes {
    async fn settle(
        &self,
        queue: &ModelQueue,
        mut batch: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        for settlement in &mut batch {
            if let Transition::Throttle { at } = settlement.transition {
                settlement.transition = Transition::Snooze { at, error: None };
            }
        }
        queue.settle(batch).await
    }
}

/// Counts a job as running from its delivery to its settlement, so that an expired lease stays counted.
#[derive(Default)]
pub(super) struct CountsUntilSettled(AtomicU64);

#[async_trait]
impl Bug for CountsUntilSettled {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let deliveries = queue.claim(demand).await?;
        self.0.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
        Ok(deliveries)
    }

    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let settled = queue.settle(batch).await?;
        let applied = settled.iter().filter(|settled| **settled == Settled::Applied).count() as u64;
        self.0.fetch_sub(applied, Ordering::Relaxed);
        Ok(settled)
    }

    async fn usage(&self, queue: &ModelQueue, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        let mut usage = queue.usage(request).await?;
        usage.total.running = self.0.load(Ordering::Relaxed);
        Ok(usage)
    }
}

#[derive(Default)]
pub(super) struct ListsAllPartitions;

#[async_trait]
impl Bug for ListsAllPartitions {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let mut loose = filter.clone();
        loose.partition = None;
        queue.list(&loose, page).await
    }
}

/// Compares names as a store with another collation does.
#[derive(Default)]
pub(super) struct SmallLetters;

#[async_trait]
impl Bug for SmallLetters {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        for job in &mut jobs {
            job.partition = Partition::new(job.partition.as_str().to_lowercase());
        }
        queue.push(jobs).await
    }
}
