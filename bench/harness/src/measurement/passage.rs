//! Jobs go through: out of a full queue, or in at one end while they go out at the other.

use std::time::Instant;

use super::fill::{fill, fill_in_bulk, share};
use crate::figures::Figures;
use crate::site::Site;
use crate::system::{System, WORKERS};
use crate::tally::Tally;
use crate::usage;

/// How many jobs wait at most while a stream passes, where a system has bounds.
const BOUND: usize = 1_024;

/// Measures how fast workers empty a full queue, the start of the workers included.
pub(super) async fn drain<S: System>(jobs: u64, workers: usize) -> anyhow::Result<Figures> {
    let tally = Tally::of(jobs);
    let site = Site::new(jobs as usize);
    let mut system = S::open(&site, tally).await?;
    fill_in_bulk(&system, jobs).await?;

    let cpu = usage::cpu()?;
    let start = Instant::now();
    let workers = system.start(workers).await?;
    tally.finished().await?;
    let figures = Figures::of_run(jobs, start.elapsed(), usage::cpu()? - cpu);
    drop(workers);
    Ok(figures)
}

/// Measures how fast jobs pass from so many tasks that enqueue them, one call each, through waiting workers.
pub(super) async fn stream<S: System>(jobs: u64, tasks: u32) -> anyhow::Result<Figures> {
    let jobs = share(jobs, tasks) * u64::from(tasks);
    let tally = Tally::of(jobs);
    let site = Site::new(BOUND);
    let mut system = S::open(&site, tally).await?;
    let workers = system.start(WORKERS).await?;

    let cpu = usage::cpu()?;
    let start = Instant::now();
    fill(&system, jobs, tasks).await?;
    tally.finished().await?;
    let figures = Figures::of_run(jobs, start.elapsed(), usage::cpu()? - cpu);
    drop(workers);
    Ok(figures)
}
