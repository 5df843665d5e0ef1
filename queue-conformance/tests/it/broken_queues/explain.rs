//! Bugs in explanations.

use async_trait::async_trait;
use queue_core::admin::Reason;
use queue_core::{Admin as _, JobId, QueueError};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Returns only the first of several reasons.
#[derive(Default)]
pub(super) struct FirstReasonOnly;

#[async_trait]
impl Bug for FirstReasonOnly {
    async fn explain(&self, queue: &ModelQueue, id: JobId) -> Result<Vec<Reason>, QueueError> {
        let mut reasons = queue.explain(id).await?;
        reasons.truncate(1);
        Ok(reasons)
    }
}

/// Explains a job that a limit holds as one that waits for a worker.
#[derive(Default)]
pub(super) struct LimitsForgotten;

#[async_trait]
impl Bug for LimitsForgotten {
    async fn explain(&self, queue: &ModelQueue, id: JobId) -> Result<Vec<Reason>, QueueError> {
        let mut reasons = queue.explain(id).await?;
        reasons.retain(|reason| !matches!(reason, Reason::AtLimit { .. } | Reason::RateLimited { .. }));
        Ok(reasons)
    }
}

/// Returns that each queue is paused.
#[derive(Default)]
pub(super) struct AlwaysPaused;

#[async_trait]
impl Bug for AlwaysPaused {
    async fn explain(&self, queue: &ModelQueue, id: JobId) -> Result<Vec<Reason>, QueueError> {
        let mut reasons = queue.explain(id).await?;
        if let Some(job) = queue.get(id).await? {
            reasons.retain(|reason| !matches!(reason, Reason::Paused { .. }));
            reasons.push(Reason::Paused { queue: job.queue });
        }
        Ok(reasons)
    }
}
