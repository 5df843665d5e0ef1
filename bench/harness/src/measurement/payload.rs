//! Measures jobs that carry a text: enqueuing them, and running them.

use std::time::{Duration, Instant};

use crate::figures::{Figures, Metric};
use crate::meter::Meter;
use crate::scratch::Scratch;
use crate::system::{Producer, System, WORKERS};
use crate::tally::{Payload, Tally};

/// The number of jobs in a call: few enough that their texts fit into memory.
const BATCH: u64 = 100;

/// Measures the time to enqueue a job, and the time to run it from a full queue.
pub(super) async fn measure<S: System>(jobs: u64, bytes: usize) -> anyhow::Result<Figures> {
    let tally = Tally::of(jobs);
    let scratch = Scratch::new(jobs as usize);
    let mut system = S::open(&scratch, tally).await?;
    // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
    let pushing = tokio::spawn(fill(system.producer(), jobs, bytes)).await??;

    let meter = Meter::start(&scratch).await?;
    let workers = system.start(WORKERS).await?;
    tally.finished().await?;
    let figures = meter.stop(jobs).await?;
    drop((workers, system));
    Ok(figures.with(Metric::Push, pushing.as_nanos() as f64 / jobs as f64))
}

/// Enqueues jobs. Returns the time of the calls, without that of creating the texts.
async fn fill(mut producer: impl Producer, jobs: u64, bytes: usize) -> anyhow::Result<Duration> {
    let mut pushing = Duration::ZERO;
    for first in (0..jobs).step_by(BATCH as usize) {
        let payload = |user_id| Payload::of_bytes(user_id, bytes);
        let payloads = (first..jobs.min(first + BATCH)).map(payload).collect();
        let start = Instant::now();
        producer.enqueue_all(payloads).await?;
        pushing += start.elapsed();
    }
    Ok(pushing)
}
