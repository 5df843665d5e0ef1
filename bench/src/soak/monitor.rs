//! The jobs of a soak, and what they share: room for so many at a time, and how long each took to start.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::Latencies;
use queue_core::{JobContext, JobError, NewJob, background_job};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// One of so many jobs fails once, and another waits for its time.
pub(crate) const EVERY: u64 = 50;
/// So long the one waits to be tried again, and the other for its time.
pub(crate) const DELAY: Duration = Duration::from_millis(20);
/// So many locks the latencies are behind, so that threads don't wait for one another.
const SHARDS: u64 = 16;
/// How long there may be no room before the jobs that have it are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts the room that there is, and the time that jobs took; clones count the same.
#[derive(Clone, Debug)]
pub(super) struct Monitor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: Semaphore,
    began: Instant,
    latencies: Vec<Mutex<Latencies>>,
}

/// Welcomes a user, and leaves.
#[background_job(name = "welcome")]
pub(super) async fn pass(#[inject] monitor: &Monitor, user_id: u64, template: &str, enqueued: Option<u64>) {
    if let Some(enqueued) = enqueued {
        monitor.record(user_id, enqueued);
    }
    black_box((user_id, template));
    monitor.0.capacity.add_permits(1);
}

/// Fails to welcome a user, and leaves at the second attempt.
#[background_job(backoff = fixed("20ms"))]
pub(super) async fn stumble(
    #[inject] monitor: &Monitor,
    #[inject] context: &JobContext,
    user_id: u64,
    template: &str,
) -> Result<(), JobError> {
    black_box((user_id, template));
    if context.attempt() == 1 {
        return Err(JobError::transient("it stumbled"));
    }
    monitor.0.capacity.add_permits(1);
    Ok(())
}

impl Monitor {
    /// Makes room for so many jobs.
    pub(super) fn of(jobs: u32) -> anyhow::Result<Self> {
        let latencies = (0..SHARDS).map(|_| Ok(Mutex::new(Latencies::new()?)));
        Ok(Self(Arc::new(Shared {
            capacity: Semaphore::new(jobs as usize),
            began: Instant::now(),
            latencies: latencies.collect::<anyhow::Result<_>>()?,
        })))
    }

    /// Makes the next job, which is enqueued at once.
    pub(super) fn job(&self, user_id: u64) -> NewJob {
        match user_id % EVERY {
            0 => stumble::new(user_id, "welcome").into(),
            1 => NewJob::from(pass::new(user_id, "welcome", None)).delay(DELAY),
            _ => pass::new(user_id, "welcome", Some(self.now())).into(),
        }
    }

    /// Waits until so many jobs have room, and gives it to them.
    pub(super) async fn enter(&self, jobs: u32) -> anyhow::Result<()> {
        let permits = timeout(PATIENCE, self.0.capacity.acquire_many(jobs)).await;
        permits.context("jobs never ran")??.forget();
        Ok(())
    }

    /// Waits until there is so much room, and leaves it as it is.
    pub(super) async fn wait_for(&self, jobs: u32) -> anyhow::Result<()> {
        drop(timeout(PATIENCE, self.0.capacity.acquire_many(jobs)).await.context("jobs never ran")??);
        Ok(())
    }

    /// Gives how long jobs took to start since this was last asked.
    pub(super) fn take_latencies(&self) -> anyhow::Result<Latencies> {
        let mut all = Latencies::new()?;
        for shard in &self.0.latencies {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(&shard)?;
            shard.clear();
        }
        Ok(all)
    }

    fn record(&self, user_id: u64, enqueued: u64) {
        let latency = Duration::from_nanos(self.now().saturating_sub(enqueued));
        if let Some(shard) = self.0.latencies.get((user_id % SHARDS) as usize) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).record(latency);
        }
    }

    /// Nanoseconds since it began.
    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
