//! Puts a load on a system and measures it.
//!
//! Every measurement waits for a notification, never for time; only the rate of single jobs is timed.

mod enqueue;
mod flood;
mod latency;
mod payload;
mod steady;
mod throughput;

use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::ensure;
use tokio::runtime::{Builder, Runtime};

use crate::figures::Figures;
use crate::load::Load;
use crate::system::{System, WORKERS};

pub use enqueue::BATCH;
pub use flood::{JOBS as SMALL_JOBS, PATIENCE as FLOOD_PATIENCE, RUN_TIME};
pub use latency::JOBS as LATENCY_JOBS;

/// Measures `jobs` jobs on a system under a load.
///
/// # Errors
///
/// The system failed, or the load is only for the queues of this project.
pub async fn measure<S: System>(load: Load, jobs: u64) -> anyhow::Result<Figures> {
    ensure!(jobs > 0, "a measurement needs jobs");
    // A tenth of the jobs goes ahead and does not count, so that code, threads and allocator are warm.
    let ahead = (jobs / 10).max(64);
    match load {
        Load::Enqueue { tasks } => {
            enqueue::rate::<S>(ahead, tasks).await?;
            enqueue::rate::<S>(jobs, tasks).await
        }
        Load::Bulk => {
            enqueue::bulk::<S>(ahead, BATCH).await?;
            enqueue::bulk::<S>(jobs, BATCH).await
        }
        Load::Batches { of } => {
            enqueue::bulk::<S>(ahead, of).await?;
            enqueue::bulk::<S>(jobs, of).await
        }
        Load::Payload { bytes } => {
            payload::measure::<S>(ahead, bytes).await?;
            payload::measure::<S>(jobs, bytes).await
        }
        Load::Drain { workers } => {
            throughput::drain::<S>(ahead, workers, Duration::ZERO).await?;
            throughput::drain::<S>(jobs, workers, Duration::ZERO).await
        }
        Load::Work { workers, millis } => {
            let run_time = Duration::from_millis(millis);
            throughput::drain::<S>(ahead, workers, run_time).await?;
            throughput::drain::<S>(jobs, workers, run_time).await
        }
        Load::Stream { tasks, .. } => {
            throughput::stream::<S>(ahead, tasks).await?;
            throughput::stream::<S>(jobs, tasks).await
        }
        Load::Latency => latency::measure::<S>(jobs, WORKERS).await,
        Load::Steady { rate } => steady::measure::<S>(jobs, rate).await,
        Load::BesideFlood { waiting } => flood::measure::<S>(waiting, jobs).await,
        Load::Memory => enqueue::memory::<S>(jobs).await,
        Load::Starts { .. }
        | Load::BesideWaiting { .. }
        | Load::Finished { .. }
        | Load::BehindReady { .. }
        | Load::BesideFinished { .. } => {
            anyhow::bail!("{load:?} is only for the queues of this project")
        }
    }
}

/// Creates the runtime for a load: tokio's default except for the number of threads.
///
/// # Errors
///
/// The threads can't be created.
pub fn runtime(load: Load) -> anyhow::Result<Runtime> {
    let threads = match load {
        // No spawned task may run before its memory is measured.
        Load::Memory => return Ok(Builder::new_current_thread().enable_all().build()?),
        Load::Stream { threads: Some(threads), .. } => threads,
        _ => available_parallelism()?.get(),
    };
    Ok(Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}
