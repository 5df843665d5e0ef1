//! The cost of a job beside many finished and scheduled ones, or behind many ready ones.

use std::time::{Duration, Instant};

use anyhow::ensure;
use harness::{BATCH, Figures, Metric, Payload, Scratch, WORKERS};
use queue_core::{Delivery, Demand, NewJob, Queue, QueueName, Settlement, Transition};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;

use crate::systems::welcome;

/// The least delay of scheduled jobs, so that none becomes due during the measurement.
const WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The least number of warm-up jobs: the log of a new file grows at first, which costs more than overwriting it.
const AHEAD: u64 = 10_000;

/// Measures the cost of pushing, claiming and settling a job beside `others` jobs of each kind in an SQLite file.
pub(super) async fn in_a_file(others: u64, jobs: u64) -> anyhow::Result<Figures> {
    let scratch = Scratch::new(0);
    let queue = SqliteQueue::open(scratch.file()?).await?;
    for first in (0..others).step_by(BATCH as usize) {
        let waits = |n| welcome_now(n).delay(WAIT + Duration::from_millis(n));
        queue.push((first..first + BATCH).map(waits).collect()).await?;
        queue.push((first..first + BATCH).map(welcome_now).collect()).await?;
        Costs::default().work_off(&queue, BATCH as usize).await?;
    }
    measure(&queue, jobs).await
}

/// Measures the same behind `others` ready jobs, which are claimed first.
pub(super) async fn behind_ready(others: u64, jobs: u64) -> anyhow::Result<Figures> {
    let scratch = Scratch::new(0);
    let queue = SqliteQueue::open(scratch.file()?).await?;
    for first in (0..others).step_by(BATCH as usize) {
        queue.push((first..first + BATCH).map(welcome_now).collect()).await?;
    }
    measure(&queue, jobs).await
}

/// Measures the same on a PostgreSQL server.
pub(super) async fn on_a_server(others: u64, jobs: u64) -> anyhow::Result<Figures> {
    let scratch = Scratch::new(0);
    let database = scratch.database().await?;
    let queue = PostgresQueue::connect(database.url()).await?;
    // Afterwards the queue has its number.
    queue.push((0..BATCH).map(welcome_now).collect()).await?;
    Costs::default().work_off(&queue, BATCH as usize).await?;
    let client = database.connect().await?;
    let number = i64::try_from(others)?;
    client.execute(FINISHED, &[&number]).await?;
    client.execute(SCHEDULED, &[&number, &i64::try_from(WAIT.as_micros())?]).await?;
    client.batch_execute("vacuum analyze").await?;
    measure(&queue, jobs).await
}

/// Stores jobs as if they had run and finished, in a moment rather than in minutes.
const FINISHED: &str = "
    with new as (
        insert into queue.jobs (id, pushed_at, run_at, max_attempts, queue_id, priority, name, payload)
        select gen_random_uuid(), now, now, max_attempts, queue_id, priority, name, payload
        from generate_series(1, $1::bigint), (select * from queue.jobs order by seq limit 1) job, queue.clock() now
        returning seq, pushed_at, queue_id)
    insert into queue.finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state)
    select seq, pushed_at, 1, 1, pushed_at, queue_id, 4 from new";

/// Stores scheduled jobs, each due at another time.
const SCHEDULED: &str = "
    with new as (
        insert into queue.jobs (id, pushed_at, run_at, max_attempts, queue_id, priority, name, payload)
        select gen_random_uuid(), now, now + $2::bigint + place, max_attempts, queue_id, priority, name, payload
        from generate_series(1, $1::bigint) place, (select * from queue.jobs order by seq limit 1) job, queue.clock() now
        returning seq, run_at, queue_id)
    insert into queue.waiting (due, seq, state, queue_id) select run_at, seq, 0, queue_id from new";

/// Measures the cost of a job in this queue.
async fn measure(queue: &impl Queue, jobs: u64) -> anyhow::Result<Figures> {
    pass(queue, AHEAD.max(jobs / 10)).await?;
    Ok(pass(queue, jobs).await?.figures())
}

/// Passes `jobs` jobs through the queue, batch by batch.
async fn pass(queue: &impl Queue, jobs: u64) -> anyhow::Result<Costs> {
    let mut costs = Costs::default();
    for first in (0..jobs).step_by(BATCH as usize) {
        let batch: Vec<NewJob> = (first..first + BATCH).map(welcome_now).collect();
        let start = Instant::now();
        queue.push(batch).await?;
        costs.pushing += start.elapsed();
        costs.work_off(queue, WORKERS).await?;
    }
    Ok(costs)
}

fn welcome_now(user_id: u64) -> NewJob {
    welcome::from(Payload::new(user_id)).into()
}

/// The cost and the number of jobs.
#[derive(Default)]
struct Costs {
    jobs: u64,
    pushing: Duration,
    claiming: Duration,
    settling: Duration,
}

impl Costs {
    /// Claims and settles as many jobs as a batch has, `at_once` in a call.
    async fn work_off(&mut self, queue: &impl Queue, at_once: usize) -> anyhow::Result<()> {
        let mut left = BATCH as usize;
        while left > 0 {
            let demand = Demand::new(QueueName::DEFAULT, at_once.min(left)).wait(Duration::ZERO);
            let start = Instant::now();
            let deliveries = queue.claim(&demand).await?;
            self.claiming += start.elapsed();
            ensure!(!deliveries.is_empty(), "jobs were lost");

            let claimed = deliveries.len();
            let complete = |delivery: Delivery| Settlement::new(delivery.lease, Transition::complete());
            let settlements = deliveries.into_iter().map(complete).collect();
            let start = Instant::now();
            queue.settle(settlements).await?;
            self.settling += start.elapsed();
            left -= claimed.min(left);
            self.jobs += claimed as u64;
        }
        Ok(())
    }

    fn figures(&self) -> Figures {
        let nanos = |time: Duration| time.as_nanos() as f64 / self.jobs as f64;
        Figures::default()
            .with(Metric::Push, nanos(self.pushing))
            .with(Metric::Claim, nanos(self.claiming))
            .with(Metric::Settle, nanos(self.settling))
    }
}
