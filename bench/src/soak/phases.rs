//! Many jobs pass through a queue, enqueued in bulk and run at once; measures the cost of each part.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Scratch, WORKERS};
use queue_core::{Queue, Services, jobs};
use queue_sqlite::SqliteQueue;
use queue_tokio::{Host, MemoryQueue, QueueService};

use super::Medium;
use super::monitor::{Monitor, pass, stumble};

/// The number of parts in which the jobs are reported.
const PARTS: u64 = 20;
/// The number of jobs in a call.
pub(crate) const BATCH: u64 = 100;
/// The most waiting jobs.
pub(crate) const BOUND: u32 = 5_000;
/// The time for which finished jobs are kept in a file.
pub(crate) const KEPT: Duration = Duration::from_secs(1);

/// The cost of a part of the jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The number of jobs so far.
    pub(crate) done: u64,
    /// Jobs per second.
    pub(crate) rate: f64,
    /// Seconds of CPU for 100,000 jobs.
    pub(crate) cpu: f64,
    /// The resident memory at the end of the part.
    pub(crate) resident: u64,
    /// The size of the file and its log at the end of the part, if there is a file.
    pub(crate) file: Option<u64>,
    /// Microseconds from before the call that enqueues to the job's first line: p50, p99 and p99.9.
    pub(crate) starts: [f64; 3],
}

/// Passes `jobs` jobs through a fresh queue.
pub(super) async fn run(medium: Medium, jobs: u64) -> anyhow::Result<Vec<Part>> {
    match medium {
        // A job releases its permit when it runs, and is settled a little later.
        Medium::Memory => put_through(MemoryQueue::bounded(2 * BOUND), None, jobs).await,
        Medium::File => {
            let scratch = Scratch::new(0);
            let file = scratch.file()?;
            let queue = SqliteQueue::builder(&file).keep_completed(KEPT).open().await?;
            put_through(queue, Some(&file), jobs).await
        }
    }
}

async fn put_through(queue: impl Queue + Clone, file: Option<&Path>, jobs: u64) -> anyhow::Result<Vec<Part>> {
    let monitor = Monitor::of(BOUND)?;
    let service = QueueService::new(queue.clone(), jobs![pass, stumble]).concurrency(WORKERS);
    let services = Services::builder().singleton(monitor.clone()).build()?;
    let running = Host::builder().services(services).service(service).build()?.start().await?;

    let size = jobs / PARTS / BATCH * BATCH;
    let mut parts = Vec::new();
    for part in 1..=PARTS {
        let (cpu, start) = (harness::cpu()?, Instant::now());
        for first in (0..size).step_by(BATCH as usize) {
            monitor.enter(BATCH as u32).await?;
            queue.push((first..first + BATCH).map(|user_id| monitor.job(user_id)).collect()).await?;
        }
        monitor.wait_for(BOUND).await?;
        let (wall, cpu) = (start.elapsed(), harness::cpu()?.saturating_sub(cpu));
        let latencies = monitor.take_latencies()?;
        let part = Part {
            done: part * size,
            rate: size as f64 / wall.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 100_000.0 / size as f64,
            resident: harness::resident()?,
            file: file.map(bytes).transpose()?,
            starts: [0.5, 0.99, 0.999].map(|part| latencies.micros(part)),
        };
        eprintln!("{part:?}");
        parts.push(part);
    }
    running.stop().await?;
    Ok(parts)
}

/// Returns the size of a file with its write-ahead log.
fn bytes(file: &Path) -> anyhow::Result<u64> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    Ok(fs::metadata(file)?.len() + fs::metadata(log)?.len())
}
