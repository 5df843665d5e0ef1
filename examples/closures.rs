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
struct Mailer(&'static str);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(Services::builder().singleton(Mailer("mail.example")).build()?)
        .service(QueueService::new(queue.clone(), Jobs::new()))
        .shutdown_timeout(Duration::from_millis(100))
        .build()?;

    // It runs once: a closure that fails is discarded with its error, because it can't be stored.
    let address = String::from("ada@example.com");
    queue
        .enqueue_fn(async move |scope: CallScope| {
            let mailer = scope.service::<Mailer>().await?;
            println!("a mail to {address} by {}", mailer.0);
            Ok::<_, BoxError>(())
        })
        .await?;

    // A closure without an end of its own listens to its token, which fires when the shutdown timeout has passed.
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    queue
        .enqueue_fn(async move |scope: CallScope| {
            begins.notify_one();
            scope.token().cancelled().await;
            println!("the long closure stops");
        })
        .await?;

    host.run_until(begun.notified()).await?;
    Ok(())
}
