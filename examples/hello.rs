//! Annotate a function, enqueue it, and let the host run it.
//!
//! `cargo run --example hello`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};

/// Prints a greeting.
#[background_job(max_attempts = 3)]
async fn greet(name: &str, times: u32) {
    for _ in 0..times {
        println!("hello, {name}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // The annotated function can still be called directly.
    greet("direct caller", 1).await;

    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(Services::builder().build()?)
        .service(QueueService::new(queue.clone(), jobs![greet]))
        .build()?;
    let running = host.start().await?;

    queue.enqueue(greet::new("world", 2)).await?;
    queue.enqueue(greet { name: "later".into(), times: 1 }).delay(Duration::from_millis(200)).await?;

    // A server would call `host.run().await?` instead, which runs until Ctrl-C.
    tokio::time::sleep(Duration::from_millis(500)).await;
    running.stop().await?;
    Ok(())
}
