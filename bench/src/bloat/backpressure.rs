//! Limits the number of unfinished jobs: each job that runs releases a permit.

use std::sync::Arc;

use queue_core::{Queue, Services, background_job, jobs};
use queue_tokio::{Host, QueueService, RunningHost};
use tokio::sync::Semaphore;

/// The permits; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Backpressure(Arc<Semaphore>);

/// Welcomes a user, and releases a permit.
#[background_job(name = "welcome")]
pub(super) async fn pass(#[inject] backpressure: &Backpressure, user_id: u64, template: &str) {
    std::hint::black_box((user_id, template));
    backpressure.0.add_permits(1);
}

impl Backpressure {
    /// Creates permits for `jobs` jobs.
    pub(super) fn of(jobs: usize) -> Self {
        Self(Arc::new(Semaphore::new(jobs)))
    }

    /// Waits for permits for `jobs` jobs, and takes them.
    pub(super) async fn enter(&self, jobs: u32) -> anyhow::Result<()> {
        self.0.acquire_many(jobs).await?.forget();
        Ok(())
    }

    /// Waits until `jobs` permits are available, without taking them.
    pub(super) async fn wait_for(&self, jobs: u32) -> anyhow::Result<()> {
        drop(self.0.acquire_many(jobs).await?);
        Ok(())
    }

    /// Takes all available permits.
    pub(super) fn fill(&self) {
        self.0.forget_permits(self.0.available_permits());
    }

    /// Runs the jobs of a queue, with all default settings except for 64 concurrent jobs.
    pub(super) async fn start(&self, queue: impl Queue) -> anyhow::Result<RunningHost> {
        let service = QueueService::new(queue, jobs![pass]).concurrency(harness::WORKERS);
        let services = Services::builder().singleton(self.clone()).build()?;
        Ok(Host::builder().services(services).service(service).build()?.start().await?)
    }
}
