//! Single jobs come at a steady pace, whether or not those before are done: how long until each has run.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::fill::share;
use crate::figures::{Figures, Metric};
use crate::meter::Meter;
use crate::series::Series;
use crate::site::Site;
use crate::system::{Producer, System, WORKERS};
use crate::tally::{Payload, Tally};

/// So many tasks take turns, so that a call which takes its time delays nobody else's.
const TASKS: u32 = 32;
/// In the first second nothing counts.
const AHEAD: Duration = Duration::from_secs(1);

/// Measures the time from when a job was due to be enqueued to its run, at so many jobs a second.
pub(super) async fn measure<S: System>(jobs: u64, rate: u32) -> anyhow::Result<Figures> {
    let ahead = u64::from(rate) * AHEAD.as_secs();
    let all = share(ahead + jobs, TASKS) * u64::from(TASKS);
    let tally = Tally::with_starts(all);
    let site = Site::new(all as usize);
    let mut system = S::open(&site, tally).await?;
    let workers = system.start(WORKERS).await?;

    let meter = Meter::start(&site).await?;
    let enqueued = enqueue_at_pace(&system, all, rate).await?;
    tally.finished().await?;
    let figures = meter.stop(all).await?;
    drop((workers, system));

    let waits =
        enqueued.into_iter().filter(|(user_id, _)| *user_id >= ahead).filter_map(|(user_id, enqueued)| {
            Some(tally.start_of(user_id)?.saturating_duration_since(enqueued).as_secs_f64() * 1e6)
        });
    let waits = Series::new(waits).context("no job started")?;
    Ok(figures
        .with(Metric::StartMedian, waits.median())
        .with(Metric::StartP95, waits.quantile(0.95))
        .with(Metric::StartP99, waits.quantile(0.99)))
}

/// Enqueues jobs, each when it's due, and tells when that was for each.
async fn enqueue_at_pace<S: System>(system: &S, jobs: u64, rate: u32) -> anyhow::Result<Vec<(u64, Instant)>> {
    let start = Instant::now();
    let due = move |user_id: u64| start + Duration::from_secs(user_id) / rate;
    let mut producers = JoinSet::new();
    for task in 0..u64::from(TASKS) {
        let turns = (task..jobs).step_by(TASKS as usize);
        producers.spawn(enqueue_turns(system.producer(), turns, due));
    }
    let turns: anyhow::Result<Vec<_>> = producers.join_all().await.into_iter().collect();
    Ok(turns?.concat())
}

async fn enqueue_turns(
    mut producer: impl Producer,
    turns: impl Iterator<Item = u64> + Send,
    due: impl Fn(u64) -> Instant + Send,
) -> anyhow::Result<Vec<(u64, Instant)>> {
    let mut enqueued = Vec::new();
    for user_id in turns {
        let mut begun = due(user_id);
        // The timer's own lateness, up to a millisecond, is nobody's; that of a task whose last call took too long is.
        if begun > Instant::now() {
            sleep_until(begun.into()).await;
            begun = Instant::now();
        }
        producer.enqueue(Payload::new(user_id)).await?;
        enqueued.push((user_id, begun));
    }
    Ok(enqueued)
}
