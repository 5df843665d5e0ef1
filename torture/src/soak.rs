//! Sends millions of jobs through one file. Neither the file nor the cost of a job may grow.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use queue_core::{Admin, BoxError, Demand, NewJob, Settlement, Transition};

use crate::queue;
use crate::report::Report;
use crate::settings::Soak;

const BATCH: u64 = 1_000;

/// The number of parts that are measured separately.
const PARTS: u64 = 10;

/// The maximum ratio of the last part to the first, in time and in space.
const GROWTH: f64 = 2.0;

/// Pushes, claims and completes jobs in batches of a thousand, with a queue that keeps no finished jobs.
pub(crate) async fn run(soak: &Soak) -> Result<Report, BoxError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("jobs.db");
    let queue = queue::open_forgetful(&file).await?;
    let batches = (soak.jobs / PARTS / BATCH).max(1);
    let mut report = Report::default().row("jobs", batches * BATCH * PARTS);
    let mut parts = Vec::new();
    for part in 1..=PARTS {
        let began = Instant::now();
        for _ in 0..batches {
            pass(&*queue).await?;
        }
        let (took, bytes) = (began.elapsed(), size(&file)?);
        let each = took / u32::try_from(batches * BATCH)?;
        report = report.row(format!("part {part}"), format!("{each:?} a job, {} MiB of files", bytes >> 20));
        parts.push((took, bytes));
    }
    // The first part includes the creation of the file.
    let (Some((first, small)), Some((last, large))) = (parts.get(1), parts.last()) else { return Ok(report) };
    if last.as_secs_f64() > first.as_secs_f64() * GROWTH || *large as f64 > *small as f64 * GROWTH {
        Err(format!("it grows with the number of jobs:\n{report}"))?;
    }
    Ok(report)
}

/// Sends a batch through the queue.
async fn pass(queue: &dyn Admin) -> Result<(), BoxError> {
    let body = || queue_core::Body::json(r#"{"user_id": 42, "template": "welcome"}"#);
    let job = |_| Ok::<_, queue_core::QueueError>(NewJob::new("soak", body()?));
    queue.push((0..BATCH).map(job).collect::<Result<_, _>>()?).await?;
    let demand = Demand::new("default", BATCH as usize).wait(Duration::ZERO);
    let done = queue.claim(&demand).await?.into_iter();
    let done = done.map(|delivery| Settlement::new(delivery.lease, Transition::complete()));
    queue.settle(done.collect()).await?;
    Ok(())
}

/// Returns the size of the database and its log.
fn size(file: &Path) -> Result<u64, BoxError> {
    let log = file.with_extension("db-wal");
    Ok(fs::metadata(file)?.len() + fs::metadata(log)?.len())
}
