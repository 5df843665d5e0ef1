//! Tests that an attempt is the parent of the spans and jobs that its job creates: H84 and H85.

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use queue_core::{Demand, NewJob, Queue as _, QueueExt as _, Services, background_job, jobs};
use queue_otel::TracedQueue;
use queue_tokio::{Host, MemoryQueue, QueueService};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use crate::jobs::{all, ship};
use crate::traces::{TestResult, Traces, of};

type Queue = TracedQueue<MemoryQueue>;

#[tracing::instrument]
async fn charge() {}

#[background_job]
async fn pay() {
    tokio::task::yield_now().await;
    charge().await;
}

#[background_job]
async fn draw(#[inject] tracer: &opentelemetry_sdk::trace::SdkTracer) {
    tokio::task::yield_now().await;
    drop(tracer.start("drawing"));
}

#[background_job]
async fn order(#[inject] queue: &Queue) -> Result<(), queue_core::JobError> {
    queue.enqueue(ship::new()).await?;
    Ok(())
}

/// H84: a span of OpenTelemetry that a job creates belongs to its attempt, with no `tracing` subscriber.
#[tokio::test]
async fn a_span_of_the_job_is_a_child_of_its_attempt() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let services = Services::builder().singleton(traces.tracer()).build()?;
    let service = QueueService::new(memory.clone(), jobs![draw]).layer(queue_otel::layer(traces.tracer()));
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    memory.enqueue(draw::new()).await?;
    memory.idle().await;
    host.stop().await?;

    let seen = traces.seen();
    let (attempt, drawing) = (of(&seen, "process default", Some("1")), of(&seen, "drawing", None));
    assert_eq!((&drawing.trace, drawing.parent.as_ref()), (&attempt.trace, Some(&attempt.span)));
    Ok(())
}

/// H84: a `tracing` span that a job creates belongs to its attempt, and with the filter each attempt is exported once.
#[tokio::test]
async fn a_tracing_span_of_the_job_is_a_child_of_its_attempt() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer());
    let spans = spans.with_filter(filter_fn(queue_otel::is_not_attempt));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
    memory.enqueue(pay::new()).await?;

    let service = QueueService::new(memory.clone(), jobs![pay]).layer(queue_otel::layer(traces.tracer()));
    service.run_until(memory.idle()).await?;

    let seen = traces.seen();
    let (attempt, charge) = (of(&seen, "process default", Some("1")), of(&seen, "charge", None));
    assert_eq!((&charge.trace, charge.parent.as_ref()), (&attempt.trace, Some(&attempt.span)));
    assert!(traces.ended().iter().all(|span| span.name != "attempt"), "each attempt is exported once");
    Ok(())
}

/// H85: a job that is pushed within a job has the attempt as its producer.
#[tokio::test]
async fn a_job_that_a_job_pushes_is_a_child_of_the_attempt() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let services = Services::builder().singleton(Queue::new(memory.clone())).build()?;
    let jobs = jobs![order, ship];
    let service = QueueService::new(memory.clone(), jobs).layer(queue_otel::layer(traces.tracer()));
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    memory.enqueue(order::new()).await?;
    memory.idle().await;
    host.stop().await?;

    let seen = traces.seen();
    let attempt = of(&seen, "process default", Some("1"));
    let pushed = of(&seen, "process shipping", Some("1"));
    assert_eq!((&pushed.trace, pushed.parent.as_ref()), (&attempt.trace, Some(&attempt.span)));
    Ok(())
}

/// H84: an attempt is no child of a span that happens to be current where the worker runs.
#[tokio::test]
async fn the_current_span_of_the_worker_is_not_the_parent() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    memory.enqueue(ship::new()).await?;

    let span = traces.tracer().start("worker");
    let _current = Context::current_with_span(span).attach();
    let service = QueueService::new(memory.clone(), all()).layer(queue_otel::layer(traces.tracer()));
    service.run_until(memory.idle()).await?;

    let seen = traces.seen();
    assert_eq!(of(&seen, "process shipping", Some("1")).parent, None);
    assert!(Context::current().span().span_context().is_valid(), "the span was current throughout");
    Ok(())
}

/// After the shutdown of the provider, a job stays in the trace of its producer.
#[tokio::test]
async fn without_a_span_the_producer_of_a_job_is_that_of_the_jobs_that_it_pushes() -> TestResult {
    let (provider, memory) = (SdkTracerProvider::builder().build(), MemoryQueue::new());
    provider.shutdown()?;
    let producer = "00-0000000000000000000000000000002a-0000000000000007-01";
    let services = Services::builder().singleton(Queue::new(memory.clone())).build()?;
    let layer = queue_otel::layer(provider.tracer("test"));
    let service = QueueService::new(memory.clone(), jobs![order]).layer(layer);
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    memory.push(vec![NewJob::from(order::new()).meta("traceparent", producer)]).await?;
    let pushed = memory.claim(&Demand::new("shipping", 1)).await?;
    host.stop().await?;

    assert_eq!(pushed[0].meta.get("traceparent"), Some(producer));
    Ok(())
}
