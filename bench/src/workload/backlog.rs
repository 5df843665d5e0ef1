//! A queue of ours in memory that is kept as full as it is, while jobs come and go.
//!
//! The number of waiting jobs stays the same: of each turn's jobs as many are settled as were enqueued. Where they wait
//! for their time, each waits for a random while, and the queue's clock is moved by hand so that some come due each turn:
//! what a claim costs then includes making them ready.

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

/// How many jobs come and go in a turn, about.
const TURN: u64 = 128;
/// How much time passes in a turn, where jobs wait for theirs: as many milliseconds as jobs come due in it.
const STEP: Duration = Duration::from_millis(TURN);
/// How many jobs come and go before any counts: beside few others, too, code and allocator are to be warm.
const AHEAD: u64 = 50_000;

/// A queue in which jobs wait, and a clock that is moved by hand.
pub(super) struct Backlog {
    queue: MemoryQueue,
    clock: ManualClock,
    waits: Waits,
    /// The longest wait, where jobs wait for their time; half of it is the mean.
    horizon: i64,
    /// How many jobs have gone that none has come for yet.
    missing: u64,
    random: Rng,
}

impl Backlog {
    /// Makes one in which so many jobs wait.
    pub(super) async fn of(waiting: u64, waits: Waits) -> anyhow::Result<Self> {
        let mut backlog = Self::new(waiting, waits, Retention::default())?;
        for batch in 0..waiting / 1_000 {
            // Of jobs that came before, those that wait long are more: what is left of a wait is the lesser of two.
            let jobs = (0..1_000).map(|n| {
                let (one, other) = (backlog.run_at(), backlog.run_at());
                job(batch * 1_000 + n, one.min(other))
            });
            let jobs: Vec<_> = jobs.collect();
            backlog.queue.enqueue_all(jobs).await?;
        }
        Ok(backlog)
    }

    /// Makes one in which nothing waits, and which keeps so many finished jobs and has them already.
    pub(super) async fn with_finished(kept: usize) -> anyhow::Result<Self> {
        let mut backlog = Self::new(0, Waits::ForWorker, Retention::default().completed(kept))?;
        backlog.pass(kept as u64).await?;
        Ok(backlog)
    }

    fn new(waiting: u64, waits: Waits, retention: Retention) -> anyhow::Result<Self> {
        let clock = ManualClock::default();
        let bound = u32::try_from(waiting * 2 + TURN)?;
        let queue = MemoryQueue::builder().bound(bound).retention(retention).clock(clock.clone()).build();
        let horizon = i64::try_from(waiting)? * 2_000;
        Ok(Self { queue, clock, waits, horizon, missing: TURN, random: Rng::with_seed(waiting) })
    }

    /// Measures what it costs to enqueue a job, and to claim and settle one.
    pub(super) async fn turn_over(mut self, jobs: u64) -> anyhow::Result<Figures> {
        self.pass(AHEAD).await?;
        self.pass(jobs).await
    }

    /// Lets so many jobs come and go, a turn at a time.
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

    /// Makes as many jobs as are missing.
    fn arrivals(&mut self) -> Vec<NewJob> {
        (0..self.missing).map(|n| job(n, self.run_at())).collect()
    }

    /// Draws when a new job may run; always now, where jobs wait for a worker alone.
    fn run_at(&mut self) -> Option<Timestamp> {
        match self.waits {
            Waits::ForWorker => None,
            Waits::ForTime => {
                let wait = Duration::from_micros(self.random.i64(1..=self.horizon).unsigned_abs());
                Some(self.clock.now().saturating_add(wait))
            }
        }
    }

    /// Claims and settles a turn's jobs, or all that are due, in batches as large as the hosted loop's.
    async fn work_off(&self) -> anyhow::Result<u64> {
        let demand = Demand::new(QueueName::DEFAULT, WORKERS).wait(Duration::ZERO);
        let mut count = 0;
        while self.waits == Waits::ForTime || count < TURN {
            let deliveries = self.queue.claim(&demand).await?;
            let claimed = deliveries.len();
            let complete = |delivery: Delivery| Settlement::new(delivery.lease, Transition::Complete);
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
