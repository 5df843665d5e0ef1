//! Measures how long single jobs on an idle system take to start.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval};

use crate::figures::{Figures, Metric};
use crate::scratch::Scratch;
use crate::series::Series;
use crate::system::{Producer, System};
use crate::tally::{Payload, Tally};

/// The number of jobs that count.
pub const JOBS: u64 = 200;
/// The number of warm-up jobs, which do not count.
const AHEAD: u64 = 20;
const PACE: Duration = Duration::from_millis(5);

/// Measures the time from before the call that enqueues a job to the job's first line.
pub(super) async fn measure<S: System>(jobs: u64, workers: usize) -> anyhow::Result<Figures> {
    let all = AHEAD + jobs;
    let tally = Tally::with_starts(all);
    let scratch = Scratch::new(1_024);
    let mut system = S::open(&scratch, tally).await?;
    let workers = system.start(workers).await?;

    // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
    let enqueued = tokio::spawn(enqueue_at_pace(system.producer(), all, PACE)).await??;
    tally.finished().await?;
    drop(workers);

    let waits = (0..).zip(enqueued).skip(AHEAD as usize).filter_map(|(user_id, enqueued)| {
        Some(tally.start_of(user_id)?.saturating_duration_since(enqueued).as_secs_f64() * 1e6)
    });
    let waits = Series::new(waits).context("no job started")?;
    Ok(Figures::default()
        .with(Metric::StartMedian, waits.median())
        .with(Metric::StartP99, waits.quantile(0.99)))
}

/// Enqueues single jobs, one each `pace`. Returns the instant before each call.
pub(super) async fn enqueue_at_pace(
    mut producer: impl Producer,
    jobs: u64,
    pace: Duration,
) -> anyhow::Result<Vec<Instant>> {
    let mut pace = interval(pace);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut enqueued = Vec::new();
    for user_id in 0..jobs {
        pace.tick().await;
        let payload = Payload::new(user_id);
        enqueued.push(Instant::now());
        producer.enqueue(payload).await?;
    }
    Ok(enqueued)
}
