//! A closure is background work too: it takes along what it needs, and gets a token and services of its own.
//!
//! `cargo run --example closures`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, CallScope, Jobs, Services};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;

/// What the closure asks its scope for.
struct Greeting(&'static str);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(Services::builder().singleton(Greeting("hello")).build()?)
        .service(QueueService::new(queue.clone(), Jobs::new()))
        .build()?;
    let running = host.start().await?;

    // It runs once: a closure that fails is discarded with its error, as it can't be stored.
    let name = String::from("closure");
    queue
        .enqueue_fn(async move |scope: CallScope| {
            let greeting = scope.service::<Greeting>().await?;
            println!("{}, {name}", greeting.0);
            Ok::<_, BoxError>(())
        })
        .await?;

    // A long one minds its token, and so it can't hold up the end of the program for longer than it likes.
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    queue
        .enqueue_fn(async move |scope: CallScope| {
            begins.notify_one();
            tokio::select! {
                () = scope.sleep(Duration::from_millis(500)) => println!("the long one is done"),
                () = scope.token().cancelled() => println!("the long one is cut short"),
            }
        })
        .await?;
    begun.notified().await;

    // To stop is to wait for what runs.
    running.stop().await?;
    Ok(())
}
