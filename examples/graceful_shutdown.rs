//! Ctrl-C stops claiming and gives running jobs time to end; then the tokens of the remaining jobs fire.
//!
//! `cargo run --example graceful_shutdown`, or with `-- --demo` to make it stop by itself.
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

/// Never ends, but observes its token. It is released uncounted, and a durable queue would deliver it again.
#[background_job]
async fn endless(#[inject] begun: &Notify, #[inject] token: CancellationToken) {
    println!("the endless job begins");
    begun.notify_one();
    token.cancelled().await;
    println!("the endless job's token has fired: it cleans up");
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
    println!("stopped; interrupted: {:?}", stopped.interrupted);
    Ok(())
}
