//! Ctrl-C stops claiming and gives running jobs time to end; then the tokens of the remaining jobs fire.
//!
//! `cargo run --example graceful_shutdown`, or with `-- --demo` to make it stop by itself.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, CancellationToken, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;
use tokio::time::interval;

/// Ends by itself within the shutdown timeout.
#[background_job]
async fn pack_order(items: u32) {
    let mut pace = interval(Duration::from_millis(100));
    for item in 1..=items {
        pace.tick().await;
        println!("packed item {item} of {items}");
    }
}

/// Never ends, but listens to its token. It is released uncounted, and a durable queue would deliver it again.
#[background_job]
async fn watch_stock(#[inject] begun: &Notify, #[inject] token: CancellationToken) {
    begun.notify_one();
    token.cancelled().await;
    println!("the token has fired: the job cleans up");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (queue, begun) = (MemoryQueue::new(), Arc::new(Notify::new()));
    let host = Host::builder()
        .services(Services::builder().singleton_as(begun.clone()).build()?)
        .service(QueueService::new(queue.clone(), jobs![pack_order, watch_stock]))
        .shutdown_timeout(Duration::from_secs(1))
        .build()?;
    queue.enqueue(pack_order::new(3)).await?;
    queue.enqueue(watch_stock::new()).await?;

    println!("press Ctrl-C to stop");
    let is_demo = std::env::args().any(|argument| argument == "--demo");
    let stopped = if is_demo { host.run_until(begun.notified()).await? } else { host.run().await? };
    println!("interrupted: {:?}", stopped.interrupted);
    Ok(())
}
