//! Backpressure for so many jobs at a time: each that runs makes room for another.

use std::sync::Arc;

use queue_core::{Queue, Services, background_job, jobs};
use queue_tokio::{Host, QueueService, RunningHost};
use tokio::sync::Semaphore;

/// Counts the room that there is; clones count the same.
#[derive(Clone, Debug)]
pub(super) struct Backpressure(Arc<Semaphore>);

/// Welcomes a user, and leaves.
#[background_job(name = "welcome")]
pub(super) async fn pass(#[inject] backpressure: &Backpressure, user_id: u64, template: &str) {
    std::hint::black_box((user_id, template));
    backpressure.0.add_permits(1);
}

impl Backpressure {
    /// Makes room for so many jobs.
    pub(super) fn of(jobs: usize) -> Self {
        Self(Arc::new(Semaphore::new(jobs)))
    }

    /// Waits until so many jobs have room, and gives it to them.
    pub(super) async fn enter(&self, jobs: u32) -> anyhow::Result<()> {
        self.0.acquire_many(jobs).await?.forget();
        Ok(())
    }

    /// Waits until there is so much room, and leaves it as it is.
    pub(super) async fn wait_for(&self, jobs: u32) -> anyhow::Result<()> {
        drop(self.0.acquire_many(jobs).await?);
        Ok(())
    }

    /// Takes all room that there is.
    pub(super) fn fill(&self) {
        self.0.forget_permits(self.0.available_permits());
    }

    /// Runs the jobs of a queue, with all settings by default but 64 jobs at once.
    pub(super) async fn start(&self, queue: impl Queue) -> anyhow::Result<RunningHost> {
        let service = QueueService::new(queue, jobs![pass]).concurrency(harness::WORKERS);
        let services = Services::builder().singleton(self.clone()).build()?;
        Ok(Host::builder().services(services).service(service).build()?.start().await?)
    }
}
