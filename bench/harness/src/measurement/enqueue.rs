//! Enqueues jobs without workers: the rate, and the memory that jobs take.

use std::ops::Range;

use tokio::task::JoinSet;

use crate::figures::{Figures, Metric};
use crate::meter::Meter;
use crate::scratch::Scratch;
use crate::system::{Producer as _, System};
use crate::tally::{Payload, Tally};
use crate::usage;

/// The number of jobs in a bulk call.
pub const BATCH: u64 = 1_000;

/// Measures the rate at which `tasks` concurrent tasks enqueue `jobs` jobs, one call each.
pub(super) async fn rate<S: System>(jobs: u64, tasks: u32) -> anyhow::Result<Figures> {
    let jobs = share(jobs, tasks) * u64::from(tasks);
    let scratch = Scratch::new(jobs as usize);
    let system = S::open(&scratch, Tally::of(jobs)).await?;

    let meter = Meter::start(&scratch).await?;
    fill(&system, jobs, tasks).await?;
    meter.stop(jobs).await
}

/// Measures the rate at which one task enqueues `jobs` jobs, a batch a call.
pub(super) async fn bulk<S: System>(jobs: u64, batch: u64) -> anyhow::Result<Figures> {
    let scratch = Scratch::new(jobs as usize);
    let system = S::open(&scratch, Tally::of(jobs)).await?;

    let meter = Meter::start(&scratch).await?;
    fill_in_bulk(&system, 0..jobs, batch).await?;
    meter.stop(jobs).await
}

/// Measures the growth of the process per waiting job.
pub(super) async fn memory<S: System>(jobs: u64) -> anyhow::Result<Figures> {
    let scratch = Scratch::new(jobs as usize);
    let system = S::open(&scratch, Tally::of(jobs)).await?;
    let mut producer = system.producer();

    let before = usage::resident()?;
    // In this task: the runtime has one thread, which must not run anything else meanwhile.
    for user_id in 0..jobs {
        producer.enqueue(Payload::new(user_id)).await?;
    }
    let grown = usage::resident()?.saturating_sub(before);
    Ok(Figures::default().with(Metric::Bytes, grown as f64 / jobs as f64))
}

/// Enqueues jobs from `tasks` tasks, an equal share each.
pub(super) async fn fill<S: System>(system: &S, jobs: u64, tasks: u32) -> anyhow::Result<()> {
    let share = share(jobs, tasks);
    let mut producers = JoinSet::new();
    for task in 0..u64::from(tasks) {
        let mut producer = system.producer();
        producers.spawn(async move {
            for user_id in task * share..(task + 1) * share {
                producer.enqueue(Payload::new(user_id)).await?;
            }
            anyhow::Ok(())
        });
    }
    producers.join_all().await.into_iter().collect()
}

/// Enqueues a job for each of these users from one task, a batch a call.
pub(super) async fn fill_in_bulk<S: System>(system: &S, users: Range<u64>, batch: u64) -> anyhow::Result<()> {
    let mut producer = system.producer();
    let filling = async move {
        for first in users.clone().step_by(batch as usize) {
            let payloads = (first..users.end.min(first + batch)).map(Payload::new).collect();
            producer.enqueue_all(payloads).await?;
        }
        anyhow::Ok(())
    };
    // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
    tokio::spawn(filling).await?
}

/// Returns the number of jobs that each of `tasks` tasks enqueues, at least one.
pub(super) fn share(jobs: u64, tasks: u32) -> u64 {
    (jobs / u64::from(tasks)).max(1)
}
