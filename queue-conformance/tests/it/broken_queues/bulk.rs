//! Bugs in changes to many jobs.

use async_trait::async_trait;
use queue_core::admin::{Change, Filter};
use queue_core::{Admin as _, JobId, QueueError};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Changes jobs that no longer match.
#[derive(Default)]
pub(super) struct IgnoresTheFilter;

#[async_trait]
impl Bug for IgnoresTheFilter {
    async fn change(
        &self,
        queue: &ModelQueue,
        ids: &[JobId],
        _filter: &Filter,
        change: &Change,
    ) -> Result<u64, QueueError> {
        queue.change(ids, &Filter::all(), change).await
    }
}

/// Counts jobs that do not allow the change.
#[derive(Default)]
pub(super) struct CountsEveryId;

#[async_trait]
impl Bug for CountsEveryId {
    async fn change(
        &self,
        queue: &ModelQueue,
        ids: &[JobId],
        filter: &Filter,
        change: &Change,
    ) -> Result<u64, QueueError> {
        queue.change(ids, filter, change).await?;
        Ok(ids.len() as u64)
    }
}
