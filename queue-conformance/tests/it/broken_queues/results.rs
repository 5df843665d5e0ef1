//! Bugs in results, in waiting for the end of jobs, and in their progress.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use queue_core::{
    Admin as _, JobId, JobRecord, Queue as _, QueueError, Settled, Settlement, StoredResult, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

#[derive(Default)]
pub(super) struct ResultForgotten;

#[async_trait]
impl Bug for ResultForgotten {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        for settlement in &mut batch {
            if matches!(settlement.transition, Transition::Complete { .. }) {
                settlement.transition = Transition::complete();
            }
        }
        queue.settle(batch).await
    }
}

/// Stores results by themselves, whatever becomes of their completions.
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
