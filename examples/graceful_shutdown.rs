//! Ctrl-C stops the claiming, lets running jobs end, and then tells those that didn't by their token.
//!
//! `cargo run --example graceful_shutdown`, or with `-- --demo` to have it stop by itself.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, CancellationToken, JobContext, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;

/// Ends by itself within the shutdown timeout.
#[background_job]
async fn short(#[inject] context: &JobContext) {
    context.sleep(Duration::from_millis(300)).await;
    println!("the short job has ended by itself");
}

/// Would never end, but minds its token. It is given back uncounted, and a durable queue would deliver it again.
#[background_job]
async fn endless(#[inject] begun: &Notify, #[inject] token: CancellationToken) {
    println!("the endless job begins");
    begun.notify_one();
    token.cancelled().await;
    println!("the endless job is told to stop, and puts its things away");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let begun = Arc::new(Notify::new());
    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(Services::builder().singleton_as(begun.clone()).build()?)
        .service(QueueService::new(queue.clone(), jobs![short, endless]))
        .shutdown_timeout(Duration::from_secs(1))
        .build()?;
    queue.enqueue(short::new()).await?;
    queue.enqueue(endless::new()).await?;

    let stopped = if std::env::args().any(|argument| argument == "--demo") {
        host.run_until(begun.notified()).await?
    } else {
        println!("press Ctrl-C");
        host.run().await?
    };
    println!("stopped; cut short: {:?}", stopped.interrupted);
    Ok(())
}
