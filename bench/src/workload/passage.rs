//! Jobs go through: out of a full queue, or in at one end while they go out at the other.

use std::time::Instant;

use super::fill::fill;
use crate::figures::Figures;
use crate::systems::System;
use crate::tally::Tally;
use crate::usage;

/// How many jobs wait at most while a stream passes.
const BOUND: usize = 1_024;

/// Measures how fast workers empty a full queue, the start of the workers included.
pub(super) async fn drain<S: System>(jobs: u64) -> anyhow::Result<Figures> {
    let tally = Tally::of(jobs);
    let mut system = S::new(jobs as usize, tally);
    fill(&system, jobs, 1).await?;

    let cpu = usage::cpu()?;
    let start = Instant::now();
    let workers = system.start().await?;
    tally.finished().await;
    let figures = Figures::of_run(jobs, start.elapsed(), usage::cpu()? - cpu);
    drop(workers);
    Ok(figures)
}

/// Measures how fast jobs pass from one task that enqueues them, one call each, through waiting workers.
pub(super) async fn stream<S: System>(jobs: u64) -> anyhow::Result<Figures> {
    let tally = Tally::of(jobs);
    let mut system = S::new(BOUND, tally);
    let workers = system.start().await?;

    let cpu = usage::cpu()?;
    let start = Instant::now();
    fill(&system, jobs, 1).await?;
    tally.finished().await;
    let figures = Figures::of_run(jobs, start.elapsed(), usage::cpu()? - cpu);
    drop(workers);
    Ok(figures)
}
