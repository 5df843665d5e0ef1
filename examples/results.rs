//! A job returns a value, which is stored with its completion. A handle waits for it, and shows the progress meanwhile.
//!
//! `cargo run --example results`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::table::Retention;
use queue_core::{
    Admin as _, BoxError, Ended, JobContext, JobError, JobHandle, QueueExt as _, background_job, jobs,
};
use queue_tokio::{MemoryQueue, QueueService};

#[background_job(max_attempts = 1)]
async fn build(#[inject] context: &JobContext, year: u16) -> Result<String, JobError> {
    context.progress(50, "collecting the figures");
    if year > 2026 {
        return Err("the year is not over".into());
    }
    Ok(format!("/reports/{year}.pdf"))
}

async fn ask(queue: &MemoryQueue) -> Result<(), BoxError> {
    let report = queue.enqueue(build::new(2026)).await?.handle();
    println!("2026: {:?}", report.ended(queue, Duration::from_secs(20)).await?);
    println!("stored as {:?}", queue.get(report.id()).await?.and_then(|job| job.result));

    // Another request may know only the id.
    let id = queue.enqueue(build::new(2030)).await?.id();
    match JobHandle::<build>::new(id).ended(queue, Duration::from_secs(20)).await? {
        Ended::Discarded(errors) => println!("2030: {:?}", errors.last().map(|error| &error.message)),
        other => println!("2030: {other:?}"),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // By default, a queue in memory keeps no completed jobs, and so no results.
    let queue = MemoryQueue::builder().retention(Retention::default().completed(1_000)).build();
    let mut asked = Ok(());
    let service = QueueService::new(queue.clone(), jobs![build]);
    service.run_until(async { asked = ask(&queue).await }).await?;
    asked
}
