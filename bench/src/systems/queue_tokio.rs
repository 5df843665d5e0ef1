//! This project's queue in memory, with all features: a bound, ids, leases, retries, a scope for each job, panics caught, `tracing`.

use harness::{Payload, Producer, Scratch, System, Tally};
use queue_core::{Jobs, Queue, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService, RunningHost};

use super::observed::Store;

/// Welcomes a user.
#[background_job]
pub(crate) async fn welcome(#[inject] tally: &Tally, user_id: u64, template: &str) {
    tally.run(user_id, template);
}

impl From<Payload> for welcome {
    fn from(payload: Payload) -> Self {
        Self { user_id: payload.user_id, template: payload.template }
    }
}

pub(crate) struct MemorySystem {
    queue: MemoryQueue,
    tally: Tally,
}

impl System for MemorySystem {
    type Producer = Entrance<MemoryQueue>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let bound = u32::try_from(scratch.bound()).unwrap_or(u32::MAX);
        Ok(Self { queue: MemoryQueue::bounded(bound), tally })
    }

    fn producer(&self) -> Entrance<MemoryQueue> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        host(self.queue.clone(), self.tally, workers).await
    }
}

impl Store for MemorySystem {
    type Queue = MemoryQueue;

    fn queue(&self) -> MemoryQueue {
        self.queue.clone()
    }
}

/// Runs the jobs of any of this project's queues.
pub(super) async fn host(
    queue: impl Queue + Clone,
    tally: Tally,
    workers: usize,
) -> anyhow::Result<RunningHost> {
    host_of(queue, jobs![welcome], tally, workers).await
}

/// Runs jobs of these kinds.
pub(super) async fn host_of(
    queue: impl Queue + Clone,
    jobs: Jobs,
    tally: Tally,
    workers: usize,
) -> anyhow::Result<RunningHost> {
    host_with(QueueService::new(queue, jobs).concurrency(workers), tally).await
}

/// Starts a host with one service.
pub(super) async fn host_with(service: QueueService, tally: Tally) -> anyhow::Result<RunningHost> {
    let services = Services::builder().singleton(tally).build()?;
    Ok(Host::builder().services(services).service(service).build()?.start().await?)
}

/// Enqueues to any of this project's queues.
pub(crate) struct Entrance<Q>(pub(super) Q);

impl<Q: Queue> Producer for Entrance<Q> {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.enqueue(welcome::from(payload)).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        self.0.enqueue_all(payloads.into_iter().map(welcome::from)).await?;
        Ok(())
    }
}
