//! Bugs in summaries.

use async_trait::async_trait;
use queue_core::admin::{Filter, PageRequest, QueueSummary};
use queue_core::{Admin as _, QueueError, State};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Returns the `run_at` of the job that a claim would return next, not that of the oldest one.
#[derive(Default)]
pub(super) struct OldestIsNextToClaim;

#[async_trait]
impl Bug for OldestIsNextToClaim {
    async fn summary_up_to(&self, queue: &ModelQueue, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        let mut all = queue.summary_up_to(cap).await?;
        for summary in &mut all {
            let ready = Filter::all().queue(summary.queue.clone()).state(State::Available);
            let ready = queue.list(&ready, &PageRequest::first(1000)).await?.jobs;
            let next = ready.iter().min_by_key(|job| (job.priority, job.run_at));
            summary.oldest_ready = next.map(|job| job.run_at);
        }
        Ok(all)
    }
}

#[derive(Default)]
pub(super) struct CountsPastTheCap;

#[async_trait]
impl Bug for CountsPastTheCap {
    async fn summary_up_to(&self, queue: &ModelQueue, _cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        queue.summary_up_to(u64::MAX).await
    }
}
