//! Bugs in results, in waiting for the end of jobs, and in their progress.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Admin as _, Clock as _, Heartbeat, JobId, JobProgress, JobRecord, Queue as _, QueueError, Renewal,
    Settled, Settlement, State, StoredResult, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

#[derive(Default)]
pub(super) struct ResultForgotten;

#[async_trait]
impl Bug for ResultForgotten {
    async fn settle(
        &self,
        queue: &ModelQueue,
        mut batch: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        for settlement in &mut batch {
            if matches!(settlement.transition, Transition::Complete { .. }) {
                settlement.transition = Transition::complete();
            }
        }
        queue.settle(batch).await
    }
}

/// Stores results apart from their completions, which may not apply.
#[derive(Default)]
pub(super) struct ResultsApart(Mutex<HashMap<JobId, StoredResult>>);

#[async_trait]
impl Bug for ResultsApart {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        for settlement in &batch {
            if let Some(result) = settlement.transition.result() {
                let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                results.insert(settlement.lease.job, result.clone());
            }
        }
        queue.settle(batch).await
    }

    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut job = queue.get(id).await?;
        if let Some(job) = &mut job {
            job.result = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        }
        Ok(job)
    }
}

type Jobs = Result<Vec<Option<JobRecord>>, QueueError>;

/// Polls when the wait begins and when it is over, and not in between.
#[derive(Default)]
pub(super) struct EndMissed;

#[async_trait]
impl Bug for EndMissed {
    async fn ended(&self, queue: &ModelQueue, ids: &[JobId], wait: Duration) -> Jobs {
        let jobs = queue.ended(ids, Duration::ZERO).await?;
        if queue_core::backend::has_ended(&jobs) {
            return Ok(jobs);
        }
        queue.clock().sleep(wait).await; // virtual
        queue.ended(ids, Duration::ZERO).await
    }
}

/// Waits until all jobs have ended.
#[derive(Default)]
pub(super) struct WaitsForAll;

#[async_trait]
impl Bug for WaitsForAll {
    async fn ended(&self, queue: &ModelQueue, ids: &[JobId], wait: Duration) -> Jobs {
        for id in ids {
            queue.ended(&[*id], wait).await?;
        }
        queue.ended(ids, Duration::ZERO).await
    }
}

/// Waits for jobs that are gone, as if they could still end.
#[derive(Default)]
pub(super) struct WaitsForTheGone;

#[async_trait]
impl Bug for WaitsForTheGone {
    async fn ended(&self, queue: &ModelQueue, ids: &[JobId], wait: Duration) -> Jobs {
        let mut known = Vec::new();
        for id in ids {
            known.extend(queue.get(*id).await?.map(|job| job.id));
        }
        if known.is_empty() {
            queue.clock().sleep(wait).await; // virtual
        } else {
            queue.ended(&known, wait).await?;
        }
        queue.ended(ids, Duration::ZERO).await
    }
}

#[derive(Default)]
pub(super) struct ProgressForgotten;

#[async_trait]
impl Bug for ProgressForgotten {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        queue.renew(&Heartbeat::of(heartbeats.iter().map(|heartbeat| &heartbeat.lease))).await
    }
}

/// Keeps progress apart from the lease, so that it outlives the lease.
#[derive(Default)]
pub(super) struct ProgressApart(Mutex<HashMap<JobId, JobProgress>>);

#[async_trait]
impl Bug for ProgressApart {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let renewals = queue.renew(heartbeats).await?;
        let held = heartbeats.iter().zip(&renewals).filter(|(_, renewal)| **renewal != Renewal::Lost);
        let reported = held.filter_map(|(beat, _)| Some((beat.lease.job, beat.progress.clone()?)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(reported);
        Ok(renewals)
    }

    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut job = queue.get(id).await?;
        if let Some(job) = job.as_mut().filter(|job| job.state == State::Executing) {
            job.progress = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        }
        Ok(job)
    }
}
