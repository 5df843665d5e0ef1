//! Tests the trace context that the decorator writes into the meta of a job: H85.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use queue_core::{Admin, Body, JobContext, Meta, NewJob, Queue as _, QueueExt as _, background_job, jobs};
use queue_otel::TracedQueue;
use queue_tokio::{MemoryQueue, QueueService};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::jobs::ship;
use crate::traces::{TestResult, Traces};

const PARENT: &str = "00-0000000000000000000000000000002a-0000000000000007-01";

/// Enters a span whose parent is the span of [`PARENT`], with this state.
fn incoming(state: &str) -> tracing::Span {
    let trace = TraceId::from_hex("0000000000000000000000000000002a").unwrap();
    let span = SpanId::from_hex("0000000000000007").unwrap();
    let state = state.parse::<TraceState>().unwrap();
    let remote = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state);
    let request = tracing::info_span!("request");
    request.set_parent(opentelemetry::Context::new().with_remote_span_context(remote)).unwrap();
    request
}

async fn meta(queue: &dyn Admin, id: queue_core::JobId) -> Meta {
    queue.get(id).await.unwrap().unwrap().meta
}

/// H85: each job of a push gets the trace of its producer, with the state that other systems have added.
#[tokio::test]
async fn each_pushed_job_gets_the_trace_of_its_producer() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(memory.clone());
    let request = incoming("vendor=1");

    let one =
        tracing::Instrument::instrument(queue.enqueue(ship::new()).into_future(), request.clone()).await?;
    let batch =
        tracing::Instrument::instrument(queue.push(vec![ship::new().into(), ship::new().into()]), request)
            .await?;

    for id in batch.iter().chain([&*one]).map(|receipt| receipt.id()) {
        let meta = meta(&memory, id).await;
        let parent = meta.get("traceparent").ok_or("it has a parent")?;
        assert!(
            parent.starts_with("00-0000000000000000000000000000002a-") && parent.ends_with("-01"),
            "{parent}"
        );
        assert_ne!(parent, PARENT, "the producer is the span itself, not its parent");
        assert_eq!(meta.get("tracestate"), Some("vendor=1"));
    }
    Ok(())
}

/// H85: a queue that calls `inject` by itself does the same without a decorator.
#[tokio::test]
async fn a_queue_that_calls_inject_needs_no_decorator() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::builder().on_push(queue_otel::inject).build());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let _entered = incoming("vendor=1").entered();

    let id = memory.enqueue(ship::new()).await?.id();

    let meta = meta(&memory, id).await;
    assert!(meta.get("traceparent").is_some_and(|parent| parent.contains("2a-")), "{meta:?}");
    assert_eq!(meta.get("tracestate"), Some("vendor=1"));
    Ok(())
}

/// A layer that does not make the context of its spans current is not seen.
#[tokio::test]
async fn a_layer_without_context_activation_is_not_seen() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_context_activation(false);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
    let _entered = incoming("").entered();

    let id = TracedQueue::new(memory.clone()).enqueue(ship::new()).await?.id();

    assert!(meta(&memory, id).await.is_empty());
    Ok(())
}

/// H85: a trace that the caller has set is kept.
#[tokio::test]
async fn a_trace_that_the_caller_has_set_is_kept() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(memory.clone());
    let _entered = incoming("vendor=1").entered();

    let id = queue.enqueue(ship::new()).meta("traceparent", PARENT).meta("tenant", "acme").await?.id();

    let expected: Meta = [("traceparent", PARENT), ("tenant", "acme")].into_iter().collect();
    assert_eq!(meta(&memory, id).await, expected);
    Ok(())
}

/// H85: a trace makes no push fail: a job whose meta has no room for it is stored without.
#[tokio::test]
async fn a_job_whose_meta_has_no_room_is_stored_without_a_trace() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(memory.clone());
    let _entered = incoming("").entered();
    let large = "x".repeat(Meta::DEFAULT_LIMIT - 50);

    let id = queue.enqueue(ship::new()).meta("large", large).await?.id();

    assert_eq!(meta(&memory, id).await.get("traceparent"), None);
    Ok(())
}

#[background_job]
async fn chain(#[inject] context: &JobContext) {
    let own = NewJob::new("own", Body::stored("{}")).queue("unserved").meta("traceparent", PARENT);
    context.then(NewJob::new("plain", Body::stored("{}")).queue("unserved"));
    context.then(own);
}

/// H85: a followup gets the trace of the attempt that added it, instead of that of the job's producer and its state, unless it
/// sets one itself.
#[tokio::test]
async fn a_followup_gets_the_trace_of_its_attempt() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let delayed = NewJob::from(chain::new()).meta("traceparent", PARENT).meta("tracestate", "vendor=1");
    memory.push(vec![delayed.delay(std::time::Duration::from_millis(1))]).await?;

    let service = QueueService::new(memory.clone(), jobs![chain]).layer(queue_otel::layer(traces.tracer()));
    let stored = async {
        let demand = queue_core::Demand::new("unserved", 2);
        let mut deliveries = memory.claim(&demand).await.unwrap();
        deliveries.sort_by(|left, right| left.name.cmp(&right.name));
        deliveries.into_iter().map(|delivery| delivery.meta).collect::<Vec<_>>()
    };
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    service.run_until(async move { sender.send(stored.await).unwrap() }).await?;

    let metas = receiver.recv().await.ok_or("the followups were claimed")?;
    let attempt = traces.seen().into_iter().find(|span| span.name == "process default").ok_or("it ran")?;
    assert_eq!(metas[0].get("traceparent"), Some(PARENT), "its own");
    let expected = format!("00-{}-{}-01", attempt.trace, attempt.span);
    assert_eq!(metas[1].get("traceparent"), Some(expected.as_str()));
    assert_eq!(metas[1].get("tracestate").unwrap_or_default(), "", "the state is that of another trace");
    Ok(())
}
