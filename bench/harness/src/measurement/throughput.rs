//! Measures the rate at which jobs run: from a full queue, or while others are enqueued.

use std::ops::Range;
use std::time::Duration;

use super::enqueue::{BATCH, fill, fill_in_bulk, share};
use crate::database::Counts;
use crate::figures::Figures;
use crate::meter::Meter;
use crate::scratch::Scratch;
use crate::system::{System, WORKERS};
use crate::tally::Tally;

/// The bound of a queue during a stream, if the system has bounds.
const BOUND: usize = 1_024;

/// Measures the rate at which workers drain a full queue of jobs that work for `run_time`, the start of the workers included.
pub(super) async fn drain<S: System>(
    jobs: u64,
    workers: usize,
    run_time: Duration,
) -> anyhow::Result<Figures> {
    let tally = Tally::of_work(jobs, run_time);
    let scratch = Scratch::new(jobs as usize);
    let (mut system, filled) = full::<S>(&scratch, tally, 0..jobs).await?;

    let meter = Meter::start(&scratch).await?;
    let workers = system.start(workers).await?;
    tally.finished().await?;
    let figures = meter.stop(jobs).await?;
    drop((workers, system));
    with_left(&scratch, figures, filled, jobs).await
}

/// Opens a system that has had a job for each of these users for some time. Returns it with the counts of its database.
pub(super) async fn full<S: System>(
    scratch: &Scratch,
    tally: Tally,
    users: Range<u64>,
) -> anyhow::Result<(S, Counts)> {
    let system = S::open(scratch, tally).await?;
    fill_in_bulk(&system, users, BATCH).await?;
    let Some(database) = scratch.served() else { return Ok((system, Counts::default())) };
    drop(system);
    let filled = database.rest().await?;
    Ok((S::open(scratch, tally).await?, filled))
}

/// Measures the rate at which jobs pass from `tasks` enqueuing tasks, one call each, through waiting workers.
pub(super) async fn stream<S: System>(jobs: u64, tasks: u32) -> anyhow::Result<Figures> {
    let jobs = share(jobs, tasks) * u64::from(tasks);
    let tally = Tally::of(jobs);
    let scratch = Scratch::new(BOUND);
    let mut system = S::open(&scratch, tally).await?;
    let workers = system.start(WORKERS).await?;

    let meter = Meter::start(&scratch).await?;
    fill(&system, jobs, tasks).await?;
    tally.finished().await?;
    let figures = meter.stop(jobs).await?;
    drop((workers, system));
    with_left(&scratch, figures, Counts::default(), jobs).await
}

/// Adds the rows that the jobs of a closed system have left, if it kept them on a server.
async fn with_left(scratch: &Scratch, figures: Figures, since: Counts, jobs: u64) -> anyhow::Result<Figures> {
    match scratch.served() {
        Some(database) => database.add_left(figures, since, jobs).await,
        None => Ok(figures),
    }
}
