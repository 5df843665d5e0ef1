//! Measures how long single jobs of small tenants wait beside the flood of another tenant.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::time::timeout;

use super::latency::enqueue_at_pace;
use super::throughput::full;
use crate::figures::{Figures, Metric};
use crate::scratch::Scratch;
use crate::series::Series;
use crate::system::{System, WORKERS};
use crate::tally::{FLOOD, Tally};

/// The number of jobs of small tenants that count.
pub const JOBS: u64 = 500;
/// The time that each job works, of the flood and of the small tenants.
pub const RUN_TIME: Duration = Duration::from_millis(10);
/// A job that has not started within this time counts as not run.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The number of warm-up jobs, which do not count.
const AHEAD: u64 = 25;
const PACE: Duration = Duration::from_millis(20);

/// Measures the time from before the call that enqueues a job to the job's first line, beside `waiting` jobs of another tenant.
///
/// It ends when the jobs of the small tenants have run, or when its patience has passed. What is left of the flood never runs.
pub(super) async fn measure<S: System>(waiting: u64, jobs: u64) -> anyhow::Result<Figures> {
    let all = AHEAD + jobs;
    let tally = Tally::with_run_time(all, RUN_TIME);
    let scratch = Scratch::new((waiting + all) as usize);
    let (mut system, _) = full::<S>(&scratch, tally, FLOOD..FLOOD + waiting).await?;

    let begun = Instant::now();
    let workers = system.start(WORKERS).await?;
    // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
    let enqueued = tokio::spawn(enqueue_at_pace(system.producer(), all, PACE)).await??;
    if let Ok(finished) = timeout(PATIENCE, tally.finished()).await {
        finished?;
    }
    let flooded = tally.flooded() as f64 / begun.elapsed().as_secs_f64();
    drop((workers, system));

    let counted = (0..).zip(enqueued).skip(AHEAD as usize);
    let waits: Vec<_> = counted.map(|(user_id, enqueued)| wait(enqueued, tally.start_of(user_id))).collect();
    let figures = figures(&waits)?;
    let is_complete = figures.value(Metric::NotRun) == Some(0.0);
    ensure!(waiting > 0 || is_complete, "jobs never ran on an idle system");
    Ok(figures.with(Metric::Rate, flooded))
}

/// Returns how long a job waited, at most the patience of the measurement.
fn wait(enqueued: Instant, started: Option<Instant>) -> Duration {
    started.map_or(PATIENCE, |started| started.saturating_duration_since(enqueued).min(PATIENCE))
}

/// Returns the figures of the waits. A wait that reaches the patience is a job that did not run in time.
fn figures(waits: &[Duration]) -> anyhow::Result<Figures> {
    let micros =
        Series::new(waits.iter().map(|wait| wait.as_secs_f64() * 1e6)).context("no job was enqueued")?;
    let not_run = waits.iter().filter(|wait| **wait == PATIENCE).count();
    Ok(Figures::default()
        .with(Metric::StartMedian, micros.median())
        .with(Metric::StartP99, micros.quantile(0.99))
        .with(Metric::StartMax, micros.max())
        .with(Metric::NotRun, not_run as f64 / waits.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_starts_too_late_or_never_counts_as_not_run() {
        let enqueued = Instant::now();
        let milli = Duration::from_millis(1);
        let starts =
            [Some(enqueued + milli), Some(enqueued + 3 * milli), Some(enqueued + 2 * PATIENCE), None];

        let figures = figures(&starts.map(|started| wait(enqueued, started))).unwrap();

        let value = |metric| figures.value(metric).unwrap();
        assert_eq!(value(Metric::NotRun), 0.5);
        assert_eq!(value(Metric::StartMax), PATIENCE.as_secs_f64() * 1e6);
        assert_eq!(wait(enqueued, starts[0]), milli);
    }
}
