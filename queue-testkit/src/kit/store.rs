//! The kit's queue: the model under virtual time, with the faults that the test injects.

use std::sync::Arc;

use async_trait::async_trait;
use queue_core::admin::{Cancellation, Filter, JobPage, PageRequest, Prune, QueueCounts};
use queue_core::{
    Admin, Delivery, Demand, Heartbeat, JobId, JobRecord, Lease, NewJob, Queue, QueueError, QueueName,
    Receipt, Renewal, Settled, Settlement, Timestamp,
};

use crate::clock::VirtualClock;
use crate::fault::{Fault, Faults, Faulty, Operation};
use crate::model_queue::ModelQueue;

/// The queue of a kit. Cheap to clone; clones are handles on the same queue.
#[derive(Clone, Debug)]
pub struct KitQueue {
    model: ModelQueue,
    faulty: Arc<Faulty<ModelQueue>>,
}

impl KitQueue {
    pub(super) fn new(clock: &VirtualClock, seed: u64) -> Self {
        let model = ModelQueue::seeded(clock.clone(), seed);
        let faulty = Arc::new(Faulty::new(model.clone(), clock.clone()));
        Self { model, faulty }
    }

    pub(super) fn faults(&self) -> &Faults {
        self.faulty.faults()
    }

    pub(super) fn records(&self) -> Vec<JobRecord> {
        self.model.records()
    }

    pub(super) fn queues(&self) -> Vec<QueueName> {
        self.model.queues()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.model.next_due()
    }

    /// Renews without waiting. Returns `None` if the call fails by an injected fault.
    pub(super) fn renew_now(&self, leases: &[Lease]) -> Option<Vec<Renewal>> {
        match self.faults().next_one(Operation::Renew) {
            Some(Fault::FailBefore | Fault::HangBefore) => return None,
            Some(Fault::FailAfter | Fault::HangAfter) => {
                self.model.renew_now(leases);
                return None;
            }
            Some(Fault::LoseLease) => self.model.release_now(leases),
            Some(Fault::Delay(_) | Fault::DeliverTwice) | None => {}
        }
        Some(self.model.renew_now(leases))
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
}

#[async_trait]
impl Admin for KitQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.model.get(id).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.model.list(filter, page).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.model.counts().await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.model.cancel(id, reason).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.model.retry(id).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.model.delete(id).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.model.pause(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.model.resume(queue).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        self.model.prune(prune).await
    }
}
