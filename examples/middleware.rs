//! Middleware is a worker that wraps another worker: it runs around every attempt and sees its outcome.
//!
//! `cargo run --example middleware`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use async_trait::async_trait;
use queue_core::{BoxError, JobContext, Outcome, QueueExt as _, Worker, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

#[background_job]
async fn divide(dividend: i64, divisor: i64) {
    println!("  {dividend} / {divisor} = {}", dividend / divisor);
}

/// Logs the outcome of each attempt; a panic is an outcome like any other.
struct Logged(Arc<dyn Worker>);

#[async_trait]
impl Worker for Logged {
    async fn work(&self, context: &JobContext) -> Outcome {
        let outcome = self.0.work(context).await;
        let took = context.now().since(context.started_at());
        println!("{} ends after {took:?}: {outcome:?}", context.name());
        outcome
    }
}

/// Replaces the outcome: failed jobs are not retried.
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
    queue.enqueue_all([divide::new(6, 2), divide::new(6, 0)]).await?;
    // The first layer is outermost.
    let service = QueueService::new(queue.clone(), jobs![divide]).layer(Logged).layer(NoRetries);
    service.run_until(queue.idle()).await?;
    Ok(())
}
