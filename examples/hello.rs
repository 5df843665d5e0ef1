//! Annotate a function, enqueue it, and let a service run it.
//!
//! `cargo run --example hello`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{BoxError, QueueExt as _, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

/// Prints a greeting.
#[background_job(max_attempts = 3)]
async fn greet(name: &str) {
    println!("hello, {name}");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The annotated function can still be called directly.
    greet("direct caller").await;

    let queue = MemoryQueue::new();
    queue.enqueue(greet::new("world")).await?;
    queue.enqueue(greet { name: "later".into() }).delay(Duration::from_millis(200)).await?;

    // A server builds a `Host` instead and calls `host.run().await?`, which runs until Ctrl-C.
    QueueService::new(queue.clone(), jobs![greet]).run_until(queue.idle()).await?;
    Ok(())
}
