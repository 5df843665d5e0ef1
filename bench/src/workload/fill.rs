//! Jobs go in, and nobody works: how fast, and how much memory they take.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::figures::{Figures, Metric};
use crate::systems::{Producer as _, System};
use crate::tally::{Payload, Tally};
use crate::usage;

/// Measures how fast so many tasks at once enqueue so many jobs, one call each.
pub(super) async fn rate<S: System>(jobs: u64, tasks: u32) -> anyhow::Result<Figures> {
    let jobs = jobs / u64::from(tasks) * u64::from(tasks);
    let system = S::new(jobs as usize, Tally::of(jobs));

    let cpu = usage::cpu()?;
    let start = Instant::now();
    fill(&system, jobs, tasks).await?;
    Ok(Figures::of_run(jobs, start.elapsed(), usage::cpu()? - cpu))
}

/// Measures by how much the process grows for each job that waits.
pub(super) async fn memory<S: System>(jobs: u64) -> anyhow::Result<Figures> {
    let system = S::new(jobs as usize, Tally::of(jobs));
    let mut producer = system.producer();

    let before = usage::resident()?;
    // In this task rather than in one of its own: the runtime has one thread, and may not run anything else meanwhile.
    for user_id in 0..jobs {
        producer.enqueue(Payload::new(user_id)).await?;
    }
    let grown = usage::resident()?.saturating_sub(before);
    Ok(Figures::default().with(Metric::Bytes, grown as f64 / jobs as f64))
}

/// Enqueues jobs from so many tasks, an equal share each.
pub(super) async fn fill<S: System>(system: &S, jobs: u64, tasks: u32) -> anyhow::Result<()> {
    let share = jobs / u64::from(tasks);
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
