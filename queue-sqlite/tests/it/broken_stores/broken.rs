//! A right store with one flaw.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{Admin, Delivery, Demand, JobId, NewJob, QueueError, Receipt, Settled, Settlement};
use queue_testkit::durable::{Bank, Locked, Opening, Store, Transaction, Trouble};

use super::handle::Handle;
use crate::durable::OnDisk;

/// What a broken store does otherwise than the right one. One is made with each handle.
#[async_trait]
pub(super) trait Flaw: Default + Send + Sync + 'static {
    /// Words that the suite must find for it.
    const SAYS: &str;

    /// Makes the flaw of a handle that is about to be opened.
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

pub(super) struct Broken<F>(OnDisk, PhantomData<F>);

impl<F: Flaw> Broken<F> {
    pub(super) fn at(address: Option<String>) -> Self {
        Self(OnDisk::at(address), PhantomData)
    }
}

#[async_trait]
impl<F: Flaw> Store for Broken<F> {
    fn address(&self) -> String {
        self.0.address()
    }

    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
        let flaw = F::of(&self.0);
        Ok(Arc::new(Handle { queue: self.0.open().await?, flaw }))
    }

    async fn open_deaf(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        F::deaf(&self.0, poll_interval).await
    }

    fn troubles(&self) -> Vec<Box<dyn Trouble>> {
        self.0.troubles()
    }

    async fn locked(&self) -> Option<Locked> {
        let flaw = F::of(&self.0);
        let right = self.0.locked().await?;
        Some(Locked { queue: Arc::new(Handle { queue: right.queue, flaw }), ..right })
    }

    async fn refusals(&self) -> Vec<Opening<String>> {
        F::refusals(&self.0).await
    }

    async fn upgrades(&self) -> Vec<Opening<JobId>> {
        F::upgrades(&self.0).await
    }

    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        F::begin(&self.0).await
    }

    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        F::begin_reading(&self.0).await
    }

    async fn replacements(&self) -> Vec<Box<dyn Trouble>> {
        self.0.replacements().await
    }

    async fn bank(&self) -> Option<Bank> {
        F::bank(&self.0).await
    }
}
