//! A handle on a store with a bug.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{
    Cancellation, Change, Filter, HistoryRequest, HistoryRow, JobPage, LimitRecord, PageRequest, Prune,
    QueueCounts, QueueSummary, QueueUsage, UsageRequest, WorkerRecord,
};
use queue_core::{
    Admin, Announcement, Delivery, Demand, Heartbeat, JobId, JobRecord, Limit, LimitScope, NewJob, Queue,
    QueueError, QueueLimits, QueueName, Receipt, Renewal, Settled, Settlement,
};

use super::broken::Bug;

pub(super) struct Handle<B> {
    pub(super) queue: Arc<dyn Admin>,
    pub(super) bug: B,
}

#[async_trait]
impl<B: Bug> Queue for Handle<B> {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.bug.push(&self.queue, jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.bug.claim(&self.queue, demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.queue.renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.bug.settle(&self.queue, settlements).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.queue.announce(announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.queue.declare_limits(queue, limits).await
    }
}

#[async_trait]
impl<B: Bug> Admin for Handle<B> {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.queue.get(id).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.queue.ended(ids, wait).await
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        self.queue.limits(queue).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        self.queue.set_limit(queue, scope, limit).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        self.queue.usage(request).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.queue.list(filter, page).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.queue.counts().await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        self.queue.summary_up_to(cap).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.queue.workers().await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        self.queue.history(request).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.queue.cancel(id, reason).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.queue.retry(id).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.queue.delete(id).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.queue.matching(filter).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.queue.change(ids, filter, change).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.queue.pause(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.queue.resume(queue).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        self.queue.prune(prune).await
    }
}
