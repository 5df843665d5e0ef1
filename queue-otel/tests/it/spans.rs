//! Tests how the spans of attempts are connected, and their fields: H84.

use std::time::Duration;

use queue_core::{Admin as _, QueueExt as _};
use queue_otel::TracedQueue;
use queue_tokio::{MemoryQueue, QueueService};
use tracing::Instrument as _;

use crate::jobs::{all, pack, ship};
use crate::traces::{TestResult, Traces, assert_connected, assert_story, of};

/// Runs all jobs of a queue.
async fn run(memory: &MemoryQueue, traces: &Traces) -> TestResult {
    let service = QueueService::new(memory.clone(), all()).layer(queue_otel::layer(traces.tracer()));
    service.run_until(memory.idle()).await?;
    Ok(())
}

/// H84: the first attempt of a job that was ready at once is a child of its producer, a retry is linked to the producer, and a
/// followup is a child of the attempt that added it.
#[tokio::test(start_paused = true)]
async fn a_request_its_job_a_retry_and_a_followup_are_connected() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(memory.clone());

    queue.enqueue(pack::new()).into_future().instrument(tracing::info_span!("request")).await?;
    run(&memory, &traces).await?;

    assert_story(&traces.seen());
    Ok(())
}

/// H84: a delayed job does not belong to its producer's trace: its attempts begin traces of their own, with a link.
#[tokio::test(start_paused = true)]
async fn a_delayed_job_begins_a_trace_with_a_link() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(memory.clone());

    let delayed = queue.enqueue(ship::new()).delay(Duration::from_secs(60));
    delayed.into_future().instrument(tracing::info_span!("request")).await?;
    run(&memory, &traces).await?;

    let seen = traces.seen();
    let (request, attempt) = (of(&seen, "request", None), of(&seen, "process shipping", Some("1")));
    assert_ne!(attempt.trace, request.trace);
    assert_eq!(
        (&attempt.parent, &attempt.links),
        (&None, &vec![(request.trace.clone(), request.span.clone())])
    );
    assert_connected(&seen);
    Ok(())
}

/// H84: a job that was pushed outside of any span has a trace of its own.
#[tokio::test(start_paused = true)]
async fn a_job_without_a_producer_has_a_trace_of_its_own() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());

    let id = TracedQueue::new(memory.clone()).enqueue(ship::new()).await?.id();
    let meta = memory.get(id).await?.unwrap().meta;
    run(&memory, &traces).await?;

    let seen = traces.seen();
    let attempt = of(&seen, "process shipping", Some("1"));
    assert_eq!((meta.is_empty(), &attempt.parent, attempt.links.len()), (true, &None, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_span_has_the_fields_of_the_conventions_and_the_end_of_the_attempt() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());
    let _guard = tracing::subscriber::set_default(traces.subscriber());

    let id = memory.enqueue(pack::new()).await?.id();
    run(&memory, &traces).await?;

    let seen = traces.seen();
    let (first, retry) = (of(&seen, "process orders", Some("1")), of(&seen, "process orders", Some("2")));
    for (key, value) in [
        ("messaging.system", "queue"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "orders"),
        ("messaging.message.id", &id.to_string()),
        ("job.name", "pack"),
        ("job.max_attempts", "3"),
        ("job.outcome", "failure"),
        ("error.type", "error"),
    ] {
        assert_eq!(first.attribute(key), Some(value), "{key}");
    }
    assert_eq!((first.kind.as_str(), first.is_error), ("Consumer", true));
    assert_eq!((retry.attribute("job.outcome"), retry.attribute("error.type")), (Some("success"), None));
    assert!(!retry.is_error);
    Ok(())
}

/// The numbers of an attempt are integers, so that a tracing system can compare them.
#[tokio::test(start_paused = true)]
async fn the_numbers_of_an_attempt_are_integers() -> TestResult {
    let (traces, memory) = (Traces::new(), MemoryQueue::new());

    memory.enqueue(ship::new()).await?;
    run(&memory, &traces).await?;

    let ended = traces.ended();
    for (key, value) in [("job.attempt", 1), ("job.max_attempts", 5)] {
        let found = ended[0].attributes.iter().find(|pair| pair.key.as_str() == key);
        assert_eq!(found.map(|pair| &pair.value), Some(&opentelemetry::Value::I64(value)), "{key}");
    }
    Ok(())
}
