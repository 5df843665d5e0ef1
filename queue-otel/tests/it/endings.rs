//! Tests that the span of an attempt ends with the attempt, however that ends: H84.

use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::Context;
use queue_core::{JobContext, Outcome, QueueExt as _, Services, Worker, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::traces::{Seen, TestResult, Traces, of};

#[background_job(max_attempts = 1, timeout = "1s")]
async fn run() {}

/// Runs a job within middleware that is itself within the span. Returns the span.
async fn span_around<W: Worker>(
    middleware: impl Fn(Arc<dyn Worker>) -> W + Send + Sync + 'static,
) -> Result<Seen, Box<dyn std::error::Error + Send + Sync>> {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    memory.enqueue(run::new()).await?;

    let service = QueueService::new(memory.clone(), jobs![run]).layer(queue_otel::layer(traces.tracer()));
    service.layer(middleware).run_until(memory.idle()).await?;

    Ok(of(&traces.seen(), "process default", Some("1")).clone())
}

/// Middleware that does not end by itself.
struct Stuck;

#[async_trait]
impl Worker for Stuck {
    async fn work(&self, _: &JobContext) -> Outcome {
        std::future::pending().await
    }
}

/// H84: middleware that continues after the timeout is dropped, and the span with it.
#[tokio::test(start_paused = true)]
async fn the_span_of_a_dropped_attempt_ends_with_an_error() -> TestResult {
    let span = span_around(|_| Stuck).await?;

    assert_eq!((span.attribute("error.type"), span.is_error), (Some("dropped"), true));
    assert_eq!(span.attribute("job.outcome"), None);
    Ok(())
}

/// Middleware that panics.
struct Broken;

#[async_trait]
impl Worker for Broken {
    async fn work(&self, _: &JobContext) -> Outcome {
        tokio::task::yield_now().await;
        panic!("it hailed")
    }
}

/// H84: a panic of middleware does not lose the span.
#[tokio::test(start_paused = true)]
async fn the_span_around_a_panic_ends_with_an_error() -> TestResult {
    let span = span_around(|_| Broken).await?;

    assert_eq!((span.attribute("error.type"), span.is_error), (Some("panic"), true));
    assert_eq!(span.attribute("job.outcome"), None);
    Ok(())
}

#[background_job]
async fn keep(#[inject] kept: &UnboundedSender<Context>) {
    kept.send(Context::current()).unwrap();
}

/// H84: a context that outlives the job does not keep the span open.
#[tokio::test]
async fn a_span_ends_although_its_context_is_kept() -> TestResult {
    let (traces, memory, (kept, mut contexts)) =
        (Traces::new(), MemoryQueue::new(), unbounded_channel::<Context>());
    let services = Services::builder().singleton(kept).build()?;
    let service = QueueService::new(memory.clone(), jobs![keep]).layer(queue_otel::layer(traces.tracer()));
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    memory.enqueue(keep::new()).await?;
    memory.idle().await;
    host.stop().await?;

    let context = contexts.recv().await.ok_or("the job has run")?;
    assert_eq!(of(&traces.seen(), "process default", Some("1")).attribute("job.outcome"), Some("success"));
    drop(context);
    Ok(())
}
