//! The jobs of a soak and their shared state: permits for unfinished jobs, and start latencies.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::Latencies;
use queue_core::{JobContext, JobError, NewJob, background_job};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Of this many jobs, one fails once and one is delayed.
pub(crate) const EVERY: u64 = 50;
/// The delay of the delayed job, and of the retry.
pub(crate) const DELAY: Duration = Duration::from_millis(20);
/// The number of locks over which the latencies are spread, so that threads do not contend for one.
const SHARDS: u64 = 16;
/// The time without any permit after which the jobs that hold them count as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// The permits and the latencies; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Monitor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: Semaphore,
    began: Instant,
    latencies: Vec<Mutex<Latencies>>,
}

/// Welcomes a user, and releases a permit.
#[background_job(name = "welcome")]
pub(super) async fn pass(#[inject] monitor: &Monitor, user_id: u64, template: &str, enqueued: Option<u64>) {
    if let Some(enqueued) = enqueued {
        monitor.record(user_id, enqueued);
    }
    black_box((user_id, template));
    monitor.0.capacity.add_permits(1);
}

/// Fails at the first attempt, and releases a permit at the second.
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
    /// Creates permits for `jobs` jobs.
    pub(super) fn of(jobs: u32) -> anyhow::Result<Self> {
        let latencies = (0..SHARDS).map(|_| Ok(Mutex::new(Latencies::new()?)));
        Ok(Self(Arc::new(Shared {
            capacity: Semaphore::new(jobs as usize),
            began: Instant::now(),
            latencies: latencies.collect::<anyhow::Result<_>>()?,
        })))
    }

    /// Creates the next job, which is enqueued at once.
    pub(super) fn job(&self, user_id: u64) -> NewJob {
        match user_id % EVERY {
            0 => stumble::new(user_id, "welcome").into(),
            1 => NewJob::from(pass::new(user_id, "welcome", None)).delay(DELAY),
            _ => pass::new(user_id, "welcome", Some(self.now())).into(),
        }
    }

    /// Waits for permits for `jobs` jobs, and takes them.
    pub(super) async fn enter(&self, jobs: u32) -> anyhow::Result<()> {
        let permits = timeout(PATIENCE, self.0.capacity.acquire_many(jobs)).await;
        permits.context("jobs never ran")??.forget();
        Ok(())
    }

    /// Waits until `jobs` permits are available, without taking them.
    pub(super) async fn wait_for(&self, jobs: u32) -> anyhow::Result<()> {
        drop(timeout(PATIENCE, self.0.capacity.acquire_many(jobs)).await.context("jobs never ran")??);
        Ok(())
    }

    /// Returns the latencies since the last call.
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

    /// Returns the nanoseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
