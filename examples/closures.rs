//! A closure can be background work too: it captures its data, and gets a token and services of its own.
//!
//! `cargo run --example closures`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, CallScope, Jobs, Services};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;

/// A service that the closure takes from its scope.
struct Greeting(&'static str);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(Services::builder().singleton(Greeting("hello")).build()?)
        .service(QueueService::new(queue.clone(), Jobs::new()))
        .build()?;
    let running = host.start().await?;

    // It runs once: a closure that fails is discarded with its error, because it can't be stored.
    let name = String::from("closure");
    queue
        .enqueue_fn(async move |scope: CallScope| {
            let greeting = scope.service::<Greeting>().await?;
            println!("{}, {name}", greeting.0);
            Ok::<_, BoxError>(())
        })
        .await?;

    // A long closure observes its token, so it does not delay the end of the program.
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    queue
        .enqueue_fn(async move |scope: CallScope| {
            begins.notify_one();
            tokio::select! {
                () = scope.sleep(Duration::from_millis(500)) => println!("the long closure is done"),
                () = scope.token().cancelled() => println!("the long closure is interrupted"),
            }
        })
        .await?;
    begun.notified().await;

    // The stop waits for running jobs.
    running.stop().await?;
    Ok(())
}
