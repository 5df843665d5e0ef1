//! An in-memory queue of ours with a constant number of waiting jobs, while jobs pass through.
//!
//! Each step settles as many jobs as it enqueues. If jobs wait for their time, each waits for a random time, and the queue's
//! clock is advanced by hand so that some become due in each step; then the cost of a claim includes making jobs ready.

use std::time::{Duration, Instant};

use anyhow::ensure;
use fastrand::Rng;
use harness::{Figures, Metric, Payload, WORKERS, Waits};
use queue_core::table::Retention;
use queue_core::{
    Clock as _, Delivery, Demand, NewJob, Queue as _, QueueExt as _, QueueName, Settlement, Timestamp,
    Transition,
};
use queue_tokio::MemoryQueue;

use super::manual_clock::ManualClock;
use crate::systems::welcome;

/// The approximate number of jobs in a step.
const STEP_JOBS: u64 = 128;
/// The time that passes in a step, if jobs wait for their time: one millisecond for each job that becomes due.
const STEP: Duration = Duration::from_millis(STEP_JOBS);
/// The number of warm-up jobs: even beside few others, code and allocator must be warm.
const AHEAD: u64 = 50_000;

/// A queue with waiting jobs, and a clock that is advanced by hand.
pub(super) struct Backlog {
    queue: MemoryQueue,
    clock: ManualClock,
    waits: Waits,
    /// The longest wait, if jobs wait for their time; the mean is half of it.
    horizon: i64,
    /// The number of settled jobs that are not replaced yet.
    missing: u64,
    random: Rng,
}

impl Backlog {
    /// Creates a queue with `waiting` waiting jobs.
    pub(super) async fn of(waiting: u64, waits: Waits) -> anyhow::Result<Self> {
        let mut backlog = Self::new(waiting, waits, Retention::default())?;
        for batch in 0..waiting / 1_000 {
            // Long waits are more frequent among jobs that came earlier: the rest of a wait is the smaller of two random waits.
            let jobs = (0..1_000).map(|n| {
                let (one, other) = (backlog.run_at(), backlog.run_at());
                job(batch * 1_000 + n, one.min(other))
            });
            let jobs: Vec<_> = jobs.collect();
            backlog.queue.enqueue_all(jobs).await?;
        }
        Ok(backlog)
    }

    /// Creates a queue without waiting jobs, which keeps `kept` finished jobs and has them already.
    pub(super) async fn with_finished(kept: usize) -> anyhow::Result<Self> {
        let mut backlog = Self::new(0, Waits::ForWorker, Retention::default().completed(kept))?;
        backlog.pass(kept as u64).await?;
        Ok(backlog)
    }

    fn new(waiting: u64, waits: Waits, retention: Retention) -> anyhow::Result<Self> {
        let clock = ManualClock::default();
        let bound = u32::try_from(waiting * 2 + STEP_JOBS)?;
        let queue = MemoryQueue::builder().bound(bound).retention(retention).clock(clock.clone()).build();
        let horizon = i64::try_from(waiting)? * 2_000;
        Ok(Self { queue, clock, waits, horizon, missing: STEP_JOBS, random: Rng::with_seed(waiting) })
    }

    /// Measures the cost of enqueuing a job, and of claiming and settling one.
    pub(super) async fn measure(mut self, jobs: u64) -> anyhow::Result<Figures> {
        self.pass(AHEAD).await?;
        self.pass(jobs).await
    }

    /// Passes `jobs` jobs through the queue, step by step.
    async fn pass(&mut self, jobs: u64) -> anyhow::Result<Figures> {
        let (mut came, mut went) = (0, 0);
        let (mut pushing, mut claiming) = (Duration::ZERO, Duration::ZERO);
        while went < jobs {
            let arrivals = self.arrivals();
            came += arrivals.len() as u64;
            let start = Instant::now();
            for job in arrivals {
                self.queue.enqueue(job).await?;
            }
            pushing += start.elapsed();

            self.clock.advance(STEP);
            let start = Instant::now();
            let done = self.work_off().await?;
            claiming += start.elapsed();
            self.missing = done;
            went += done;
        }
        let nanos = |time: Duration, jobs: u64| time.as_nanos() as f64 / jobs as f64;
        Ok(Figures::default()
            .with(Metric::Push, nanos(pushing, came))
            .with(Metric::ClaimAndSettle, nanos(claiming, went)))
    }

    /// Creates as many jobs as are missing.
    fn arrivals(&mut self) -> Vec<NewJob> {
        (0..self.missing).map(|n| job(n, self.run_at())).collect()
    }

    /// Returns a random time at which a new job may run, or `None` if jobs wait only for a worker.
    fn run_at(&mut self) -> Option<Timestamp> {
        match self.waits {
            Waits::ForWorker => None,
            Waits::ForTime => {
                let wait = Duration::from_micros(self.random.i64(1..=self.horizon).unsigned_abs());
                Some(self.clock.now().saturating_add(wait))
            }
        }
    }

    /// Claims and settles a step's jobs, or all due ones, in batches as large as the hosted loop's.
    async fn work_off(&self) -> anyhow::Result<u64> {
        let demand = Demand::new(QueueName::DEFAULT, WORKERS).wait(Duration::ZERO);
        let mut count = 0;
        while self.waits == Waits::ForTime || count < STEP_JOBS {
            let deliveries = self.queue.claim(&demand).await?;
            let claimed = deliveries.len();
            let complete = |delivery: Delivery| Settlement::new(delivery.lease, Transition::complete());
            self.queue.settle(deliveries.into_iter().map(complete).collect()).await?;
            count += claimed as u64;
            if claimed < WORKERS {
                ensure!(self.waits == Waits::ForTime, "jobs were lost");
                break;
            }
        }
        Ok(count)
    }
}

fn job(user_id: u64, run_at: Option<Timestamp>) -> NewJob {
    let job: NewJob = welcome::from(Payload::new(user_id)).into();
    match run_at {
        Some(run_at) => job.at(run_at),
        None => job,
    }
}
