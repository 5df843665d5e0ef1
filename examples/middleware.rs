//! Middleware is a worker that wraps a worker: it stands around every attempt and sees how it ended.
//!
//! `cargo run --example middleware`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use async_trait::async_trait;
use queue_core::{BoxError, JobContext, Outcome, QueueExt as _, Worker, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;

#[background_job]
async fn divide(dividend: i64, divisor: i64) {
    println!("  {dividend} / {divisor} = {}", dividend / divisor);
}

/// Tells what begins and how it ends, panics too: by then they are outcomes like any other.
struct Logged(Arc<dyn Worker>);

#[async_trait]
impl Worker for Logged {
    async fn work(&self, context: &JobContext) -> Outcome {
        println!("{} begins", context.name());
        let outcome = self.0.work(context).await;
        println!(
            "{} ends after {:?}: {outcome:?}",
            context.name(),
            context.now().since(context.started_at())
        );
        outcome
    }
}

/// Answers with another outcome: what fails here isn't tried again.
struct NoRetries(Arc<dyn Worker>);

#[async_trait]
impl Worker for NoRetries {
    async fn work(&self, context: &JobContext) -> Outcome {
        match self.0.work(context).await {
            Outcome::Failure(failure) => Outcome::Failure(failure.permanent()),
            other => other,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    // The first one is outermost.
    let service =
        QueueService::new(queue.clone(), jobs![divide]).layer(Logged).layer(NoRetries).concurrency(1);
    queue.enqueue_all([divide::new(6, 2), divide::new(6, 0)]).await?;
    let running = Host::builder().service(service).build()?.start().await?;

    // The last to run, as its priority is the lowest and one runs at a time.
    let done = Arc::new(Notify::new());
    let last = done.clone();
    queue.enqueue_fn(async move |_| last.notify_one()).priority(1).await?;
    done.notified().await;
    running.stop().await?;
    Ok(())
}
