//! A schedule enqueues a job at each full second, and is triggered by hand.
//!
//! `cargo run --example schedules`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use queue_core::{BoxError, Services, Tick, background_job, jobs};
use queue_schedules::Schedules;
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Semaphore;

/// For a job each night: `cron = "0 2 * * *", zone = "Europe/Berlin"`.
#[background_job(every = "1s")]
async fn beat(#[inject] beats: &Semaphore, #[inject] tick: &Tick) {
    println!("the tick of {}", tick.at());
    beats.add_permits(1);
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    let beats = Arc::new(Semaphore::new(0));
    let schedules = Schedules::new("example", queue.clone()).jobs(jobs![beat]);
    let host = Host::builder()
        .services(Services::builder().singleton_as(beats.clone()).build()?)
        .service(QueueService::new(queue, jobs![beat]))
        .service(schedules.clone())
        .build()?;
    let running = host.start().await?;

    for schedule in schedules.list().await? {
        println!("{}: {}", schedule.name, schedule.words());
    }
    let three = beats.acquire_many(3).await?;
    schedules.trigger("beat").await?;
    let _fourth = beats.acquire().await?;

    drop(three);
    running.stop().await?;
    Ok(())
}
