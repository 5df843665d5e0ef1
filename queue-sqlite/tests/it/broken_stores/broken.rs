//! A correct store with one bug.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::durable::{LockCase, OpenCase, Outage, PaymentApp, Store, Transaction};
use queue_core::{Admin, Delivery, Demand, JobId, NewJob, QueueError, Receipt, Settled, Settlement};

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
        disk.open_without_notifications(poll_interval).await
    }

    async fn unopenable(disk: &OnDisk) -> Vec<OpenCase<String>> {
        disk.unopenable().await
    }

    async fn old_versions(disk: &OnDisk) -> Vec<OpenCase<JobId>> {
        disk.old_versions().await
    }

    async fn begin(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        disk.begin().await
    }

    async fn begin_reading(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        disk.begin_reading().await
    }

    async fn payment_app(disk: &OnDisk) -> Option<PaymentApp> {
        disk.payment_app().await
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

    async fn open_without_notifications(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        B::deaf(&self.0, poll_interval).await
    }

    fn outages(&self) -> Vec<Box<dyn Outage>> {
        self.0.outages()
    }

    async fn locked(&self) -> Option<LockCase> {
        let bug = B::of(&self.0);
        let correct = self.0.locked().await?;
        Some(LockCase { queue: Arc::new(Handle { queue: correct.queue, bug }), ..correct })
    }

    async fn unopenable(&self) -> Vec<OpenCase<String>> {
        B::unopenable(&self.0).await
    }

    async fn old_versions(&self) -> Vec<OpenCase<JobId>> {
        B::old_versions(&self.0).await
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

    async fn payment_app(&self) -> Option<PaymentApp> {
        B::payment_app(&self.0).await
    }
}
