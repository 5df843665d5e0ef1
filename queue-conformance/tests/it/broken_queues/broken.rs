//! A right queue with one bug.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::{Bounded, Fixture};
use queue_core::admin::{
    Cancellation, Change, Filter, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord, PageRequest,
    Prune, QueueCounts, QueueSummary, QueueUsage, Reason, UsageRequest, WorkerRecord,
};
use queue_core::backend::ExpiryFeed;
use queue_core::{
    Admin, Announcement, Delivery, Demand, Heartbeat, JobId, JobRecord, Limit, LimitScope, NewJob, Queue,
    QueueError, QueueLimits, QueueName, Receipt, Renewal, Settled, Settlement, Timestamp,
};
use queue_testkit::{ModelQueue, VirtualClock};

/// A bug. The default of each method is right, so a bug overrides only the calls that it breaks.
#[async_trait]
pub(super) trait Bug: Default + Send + Sync + 'static {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        queue.push(jobs).await
    }

    async fn try_push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        queue.try_push(jobs)
    }

    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        queue.claim(demand).await
    }

    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        queue.renew(heartbeats).await
    }

    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        queue.settle(batch).await
    }

    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        queue.get(id).await
    }

    async fn ended(
        &self,
        queue: &ModelQueue,
        ids: &[JobId],
        wait: Duration,
    ) -> Result<Vec<Option<JobRecord>>, QueueError> {
        queue.ended(ids, wait).await
    }

    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        queue.list(filter, page).await
    }

    async fn counts(&self, queue: &ModelQueue) -> Result<Vec<QueueCounts>, QueueError> {
        queue.counts().await
    }

    async fn summary_up_to(&self, queue: &ModelQueue, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        queue.summary_up_to(cap).await
    }

    async fn announce(&self, queue: &ModelQueue, announcement: &Announcement) -> Result<(), QueueError> {
        queue.announce(announcement).await
    }

    async fn workers(&self, queue: &ModelQueue) -> Result<Vec<WorkerRecord>, QueueError> {
        queue.workers().await
    }

    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        queue.history(request).await
    }

    async fn explain(&self, queue: &ModelQueue, id: JobId) -> Result<Vec<Reason>, QueueError> {
        queue.explain(id).await
    }

    async fn retry(&self, queue: &ModelQueue, id: JobId) -> Result<(), QueueError> {
        queue.retry(id).await
    }

    async fn delete(&self, queue: &ModelQueue, id: JobId) -> Result<(), QueueError> {
        queue.delete(id).await
    }

    async fn change(
        &self,
        queue: &ModelQueue,
        ids: &[JobId],
        filter: &Filter,
        change: &Change,
    ) -> Result<u64, QueueError> {
        queue.change(ids, filter, change).await
    }

    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        queue.import(jobs).await
    }

    async fn pause(&self, queue: &ModelQueue, name: &QueueName) -> Result<(), QueueError> {
        queue.pause(name).await
    }

    async fn declare_limits(
        &self,
        queue: &ModelQueue,
        name: &QueueName,
        limits: &QueueLimits,
    ) -> Result<(), QueueError> {
        queue.declare_limits(name, limits).await
    }

    async fn set_limit(
        &self,
        queue: &ModelQueue,
        name: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        queue.set_limit(name, scope, limit).await
    }

    async fn usage(&self, queue: &ModelQueue, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        queue.usage(request).await
    }

    async fn prune(&self, queue: &ModelQueue, prune: &Prune) -> Result<u64, QueueError> {
        queue.prune(prune).await
    }

    fn expiry_feed<'q>(&'q self, queue: &'q ModelQueue) -> Option<&'q ExpiryFeed> {
        queue.expiry_feed()
    }

    fn close(&self, queue: &ModelQueue) {
        queue.close();
    }
}

pub(super) struct Broken<B> {
    queue: ModelQueue,
    bug: Arc<B>,
}

impl<B: Bug> Broken<B> {
    pub(super) fn new() -> Self {
        Self::around(ModelQueue::new())
    }

    fn around(queue: ModelQueue) -> Self {
        Self { queue, bug: Arc::default() }
    }
}

impl<B> Clone for Broken<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bug: self.bug.clone() }
    }
}

#[async_trait]
impl<B: Bug> Queue for Broken<B> {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.bug.push(&self.queue, jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.bug.claim(&self.queue, demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.bug.renew(&self.queue, heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.bug.settle(&self.queue, settlements).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.bug.announce(&self.queue, announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.bug.declare_limits(&self.queue, queue, limits).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        self.bug.expiry_feed(&self.queue)
    }
}

#[async_trait]
impl<B: Bug> Admin for Broken<B> {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.bug.get(&self.queue, id).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.bug.ended(&self.queue, ids, wait).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.bug.list(&self.queue, filter, page).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.bug.counts(&self.queue).await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        self.bug.summary_up_to(&self.queue, cap).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.bug.workers(&self.queue).await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        self.bug.history(&self.queue, request).await
    }

    async fn explain(&self, id: JobId) -> Result<Vec<Reason>, QueueError> {
        self.bug.explain(&self.queue, id).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.queue.cancel(id, reason).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.bug.retry(&self.queue, id).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.bug.delete(&self.queue, id).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.queue.matching(filter).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.bug.change(&self.queue, ids, filter, change).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.bug.import(&self.queue, jobs).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.bug.pause(&self.queue, queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.queue.resume(queue).await
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
        self.bug.set_limit(&self.queue, queue, scope, limit).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        self.bug.usage(&self.queue, request).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        self.bug.prune(&self.queue, prune).await
    }
}

#[async_trait]
impl<B: Bug> Fixture for Broken<B> {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.clone())
    }

    fn now(&self) -> Timestamp {
        Fixture::now(&self.queue)
    }

    async fn advance(&self, by: Duration) {
        self.queue.advance(by).await;
    }

    async fn close(&self) {
        self.bug.close(&self.queue);
    }

    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let queue = Self::around(ModelQueue::bounded(VirtualClock::new(), capacity));
        let pusher = queue.clone();
        let try_push = Box::new(move |jobs| {
            let pusher = pusher.clone();
            let answer: queue_core::BoxFuture<'static, _> =
                Box::pin(async move { pusher.bug.try_push(&pusher.queue, jobs).await });
            answer
        });
        Some(Bounded { queue: Arc::new(queue), try_push })
    }
}
