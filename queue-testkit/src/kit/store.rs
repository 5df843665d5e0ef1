//! The kit's queue: the store under test with its clock, and the faults that the test injects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{
    Cancellation, Change, Filter, Finding, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord,
    PageRequest, Prune, QueueCounts, QueueSummary, QueueUsage, UsageRequest, WorkerRecord,
};
use queue_core::backend::ExpiryFeed;
use queue_core::{
    Admin, Announcement, Delivery, Demand, Heartbeat, JobId, JobRecord, Limit, LimitScope, NewJob, Queue,
    QueueError, QueueLimits, QueueName, Receipt, Renewal, Settled, Settlement, Transition,
};

use super::clock::KitClock;
use super::timed::Timed;
use crate::fault::{Fault, Faults, Faulty, Operation};

/// The queue of a kit. Cheap to clone; clones are handles on the same queue.
#[derive(Clone)]
pub struct KitQueue {
    store: Timed,
    faulty: Arc<Faulty<Timed>>,
}

impl KitQueue {
    pub(super) fn new(store: Timed, clock: &KitClock) -> Self {
        let faulty = Arc::new(Faulty::new(store.clone(), clock.of_faults()));
        Self { store, faulty }
    }

    pub(super) fn faults(&self) -> &Faults {
        self.faulty.faults()
    }

    /// Returns the store without faults.
    pub(super) fn store(&self) -> &Timed {
        &self.store
    }

    /// Renews leases without delays and hangs, which would hold up the job that runs. Returns `None` if the call fails.
    pub(super) async fn renew_held(&self, heartbeats: &[Heartbeat]) -> Option<Vec<Renewal>> {
        match self.faults().next_one(Operation::Renew) {
            Some(Fault::FailBefore | Fault::HangBefore) => return None,
            Some(Fault::FailAfter | Fault::HangAfter) => {
                drop(self.store.renew(heartbeats).await);
                return None;
            }
            Some(Fault::LoseLease) => {
                let release = |beat: &Heartbeat| Settlement::new(beat.lease.clone(), Transition::Release);
                drop(self.store.settle(heartbeats.iter().map(release).collect()).await);
            }
            Some(Fault::Delay(_) | Fault::DeliverTwice) | None => {}
        }
        self.store.renew(heartbeats).await.ok()
    }
}

impl fmt::Debug for KitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KitQueue").field("faults", self.faults()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Queue for KitQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.faulty.push(jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.faulty.claim(demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.faulty.renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.faulty.settle(settlements).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.faulty.announce(announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.faulty.declare_limits(queue, limits).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        self.store.expiry_feed()
    }
}

/// Operators' calls have no faults.
#[async_trait]
impl Admin for KitQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.store.call(|queue| async move { queue.get(id).await }).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        let ids = ids.to_vec();
        self.store.call(|queue| async move { queue.ended(&ids, wait).await }).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let (filter, page) = (filter.clone(), page.clone());
        self.store.call(|queue| async move { queue.list(&filter, &page).await }).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.store.call(|queue| async move { queue.counts().await }).await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        self.store.call(move |queue| async move { queue.summary_up_to(cap).await }).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.store.call(|queue| async move { queue.workers().await }).await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        let request = request.clone();
        self.store.call(|queue| async move { queue.history(&request).await }).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let reason = reason.to_owned();
        self.store.call(|queue| async move { queue.cancel(id, &reason).await }).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.store.call(|queue| async move { queue.retry(id).await }).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.store.call(|queue| async move { queue.delete(id).await }).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        let filter = filter.clone();
        self.store.call(|queue| async move { queue.matching(&filter).await }).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        let (ids, filter, change) = (ids.to_vec(), filter.clone(), change.clone());
        self.store.call(|queue| async move { queue.change(&ids, &filter, &change).await }).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.store.call(|queue| async move { queue.import(jobs).await }).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        let name = queue.clone();
        self.store.call(|queue| async move { queue.pause(&name).await }).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        let name = queue.clone();
        self.store.call(|queue| async move { queue.resume(&name).await }).await
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        let name = queue.clone();
        self.store.call(|queue| async move { queue.limits(&name).await }).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        let (name, scope) = (queue.clone(), scope.clone());
        self.store.call(|queue| async move { queue.set_limit(&name, &scope, limit).await }).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        let request = request.clone();
        self.store.call(|queue| async move { queue.usage(&request).await }).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        let prune = prune.clone();
        self.store.call(|queue| async move { queue.prune(&prune).await }).await
    }

    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        self.store.call(|queue| async move { queue.diagnose_store().await }).await
    }
}
