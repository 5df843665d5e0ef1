//! Bugs about workers.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use queue_core::admin::WorkerRecord;
use queue_core::{
    Admin as _, Announcement, Delivery, Demand, JobId, JobRecord, Queue as _, QueueError, WorkerId,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Returns the worker of the newest claim, even if its lease has ended.
#[derive(Default)]
pub(super) struct WorkerKept(Mutex<Vec<(JobId, Option<WorkerId>)>>);

#[async_trait]
impl Bug for WorkerKept {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let claimed = queue.claim(demand).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(claimed.iter().map(|job| (job.id(), demand.worker.clone())));
        Ok(claimed)
    }

    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut record = queue.get(id).await?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(record), Some((_, worker))) = (&mut record, kept.iter().rfind(|(job, _)| *job == id)) {
            record.claimed_by.clone_from(worker);
        }
        Ok(record)
    }
}

#[derive(Default)]
pub(super) struct OnlyLiveWorkers;

#[async_trait]
impl Bug for OnlyLiveWorkers {
    async fn workers(&self, queue: &ModelQueue) -> Result<Vec<WorkerRecord>, QueueError> {
        let mut workers = queue.workers().await?;
        workers.retain(|worker| worker.is_live);
        Ok(workers)
    }
}

#[derive(Default)]
pub(super) struct NeverLeaves;

#[async_trait]
impl Bug for NeverLeaves {
    async fn announce(&self, queue: &ModelQueue, announcement: &Announcement) -> Result<(), QueueError> {
        if announcement.valid_for.is_zero() { Ok(()) } else { queue.announce(announcement).await }
    }
}
