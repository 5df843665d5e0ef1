//! Measures how long single jobs at a fixed rate take to start, whether or not earlier jobs have run.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::figures::{Figures, Metric};
use crate::latencies::Latencies;
use crate::meter::Meter;
use crate::scratch::Scratch;
use crate::system::{Producer, System, WORKERS};
use crate::tally::{Payload, Tally};

/// The least number of enqueuing tasks, so that a slow call delays no other task.
const TASKS: u32 = 32;
/// The most calls per second of one task: a call may take as long as the interval between two.
const CALLS_PER_SECOND: u32 = 100;
/// The lateness that a timer may have by itself: it uses whole milliseconds, and so does the wait for the next one.
const LATENESS: Duration = Duration::from_millis(2);
/// The warm-up time, in which no job counts.
const AHEAD: Duration = Duration::from_secs(1);

/// Measures the time from when a job was due to be enqueued to its run, at `rate` jobs per second.
pub(super) async fn measure<S: System>(jobs: u64, rate: u32) -> anyhow::Result<Figures> {
    let ahead = u64::from(rate) * AHEAD.as_secs();
    let tasks = TASKS.max(rate / CALLS_PER_SECOND);
    let all = (ahead + jobs).next_multiple_of(u64::from(tasks));
    let tally = Tally::with_starts(all);
    let scratch = Scratch::new(all as usize);
    let mut system = S::open(&scratch, tally).await?;
    let workers = system.start(WORKERS).await?;

    let meter = Meter::start(&scratch).await?;
    let enqueued = enqueue_at_pace(&system, all, tasks, rate).await?;
    tally.finished().await?;
    let figures = meter.stop(all).await?;
    drop((workers, system));

    let mut waits = Latencies::new()?;
    for (user_id, enqueued) in enqueued.into_iter().filter(|(user_id, _)| *user_id >= ahead) {
        if let Some(start) = tally.start_of(user_id) {
            waits.record(start.saturating_duration_since(enqueued));
        }
    }
    ensure!(!waits.is_empty(), "no job started");
    Ok(figures
        .with(Metric::StartMedian, waits.micros(0.5))
        .with(Metric::StartP95, waits.micros(0.95))
        .with(Metric::StartP99, waits.micros(0.99))
        .with(Metric::StartP999, waits.micros(0.999))
        .with(Metric::StartMax, waits.micros(1.0)))
}

/// Enqueues each job when it is due. Returns the due time of each.
async fn enqueue_at_pace<S: System>(
    system: &S,
    jobs: u64,
    tasks: u32,
    rate: u32,
) -> anyhow::Result<Vec<(u64, Instant)>> {
    let start = Instant::now();
    let due = move |user_id: u64| start + Duration::from_secs(user_id) / rate;
    let mut producers = JoinSet::new();
    for task in 0..u64::from(tasks) {
        let jobs_of_task = (task..jobs).step_by(tasks as usize);
        producers.spawn(enqueue_due(system.producer(), jobs_of_task, due));
    }
    let jobs_of_task: anyhow::Result<Vec<_>> = producers.join_all().await.into_iter().collect();
    Ok(jobs_of_task?.concat())
}

async fn enqueue_due(
    mut producer: impl Producer,
    jobs_of_task: impl Iterator<Item = u64> + Send,
    due: impl Fn(u64) -> Instant + Send,
) -> anyhow::Result<Vec<(u64, Instant)>> {
    let mut enqueued = Vec::new();
    let mut awake = Instant::now();
    for user_id in jobs_of_task {
        let due = due(user_id);
        if due > Instant::now() {
            sleep_until(due.into()).await;
            awake = Instant::now().min(due + LATENESS);
        }
        // The timer's own lateness is charged to no system, for all jobs that became due meanwhile. The lateness of a task whose
        // last call took too long is charged to the system.
        let begun = due.max(awake);
        producer.enqueue(Payload::new(user_id)).await?;
        enqueued.push((user_id, begun));
    }
    Ok(enqueued)
}
