//! A correct store with one bug.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{Admin, Delivery, Demand, JobId, NewJob, QueueError, Receipt, Settled, Settlement};
use queue_testkit::durable::{Bank, Locked, Opening, Outage, Store, Transaction};

use super::handle::Handle;
use crate::durable::OnDisk;

/// A difference of a broken store from the correct one. Each handle has its own value.
#[async_trait]
pub(super) trait Bug: Default + Send + Sync + 'static {
    /// Words that the message of the suite must contain.
    const MESSAGE: &str;

    /// Creates the bug of a handle that is about to be opened.
    fn of(disk: &OnDisk) -> Self {
        let _: &OnDisk = disk;
        Self::default()
    }

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        queue.push(jobs).await
    }

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        queue.claim(demand).await
    }

    async fn settle(
        &self,
        queue: &Arc<dyn Admin>,
        settlements: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        queue.settle(settlements).await
    }

    async fn deaf(disk: &OnDisk, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        disk.open_deaf(poll_interval).await
    }

    async fn refusals(disk: &OnDisk) -> Vec<Opening<String>> {
        disk.refusals().await
    }

    async fn upgrades(disk: &OnDisk) -> Vec<Opening<JobId>> {
        disk.upgrades().await
    }

    async fn begin(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        disk.begin().await
    }

    async fn begin_reading(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        disk.begin_reading().await
    }

    async fn bank(disk: &OnDisk) -> Option<Bank> {
        disk.bank().await
    }
}

/// A store with the bug `B`.
pub(super) struct Broken<B>(OnDisk, PhantomData<B>);

impl<B: Bug> Broken<B> {
    pub(super) fn at(address: Option<String>) -> Self {
        Self(OnDisk::at(address), PhantomData)
    }
}

#[async_trait]
impl<B: Bug> Store for Broken<B> {
    fn address(&self) -> String {
        self.0.address()
    }

    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
        let bug = B::of(&self.0);
        Ok(Arc::new(Handle { queue: self.0.open().await?, bug }))
    }

    async fn open_deaf(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        B::deaf(&self.0, poll_interval).await
    }

    fn outages(&self) -> Vec<Box<dyn Outage>> {
        self.0.outages()
    }

    async fn locked(&self) -> Option<Locked> {
        let bug = B::of(&self.0);
        let correct = self.0.locked().await?;
        Some(Locked { queue: Arc::new(Handle { queue: correct.queue, bug }), ..correct })
    }

    async fn refusals(&self) -> Vec<Opening<String>> {
        B::refusals(&self.0).await
    }

    async fn upgrades(&self) -> Vec<Opening<JobId>> {
        B::upgrades(&self.0).await
    }

    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        B::begin(&self.0).await
    }

    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        B::begin_reading(&self.0).await
    }

    async fn replacements(&self) -> Vec<Box<dyn Outage>> {
        self.0.replacements().await
    }

    async fn bank(&self) -> Option<Bank> {
        B::bank(&self.0).await
    }
}
