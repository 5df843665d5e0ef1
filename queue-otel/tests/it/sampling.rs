//! Tests what a sampler sees, and that its decision is kept.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry::trace::{
    Link, Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};
use queue_core::{JobContext, Meta, NewJob, Queue as _, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

use crate::jobs::{all, ship};
use crate::traces::{TestResult, Traces, of};

const TRACE: &str = "0000000000000000000000000000002a";

#[background_job]
async fn chain(#[inject] context: &JobContext) {
    context.then(NewJob::from(ship::new()));
}

/// Runs a job whose producer has this `traceparent`, and returns the meta of its followup.
async fn meta_of_followup<T>(traceparent: Option<String>, tracer: T) -> Result<Meta, queue_core::BoxError>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    let memory = MemoryQueue::new();
    let job = NewJob::from(chain::new());
    let job = traceparent.into_iter().fold(job, |job, parent| job.meta("traceparent", parent));
    memory.push(vec![job]).await?;
    let service = QueueService::new(memory.clone(), jobs![chain]).layer(queue_otel::layer(tracer));
    let claimed = {
        let memory = memory.clone();
        async move { memory.claim(&queue_core::Demand::new("shipping", 1)).await }
    };
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    service.run_until(async move { sender.send(claimed.await).unwrap() }).await?;
    let mut followups = receiver.recv().await.ok_or("the followup was claimed")??;
    Ok(followups.remove(0).meta)
}

/// H85: a followup of an attempt that is not sampled is not sampled either.
#[tokio::test]
async fn a_followup_of_an_unsampled_attempt_is_unsampled() -> TestResult {
    let traces = Traces::sampled_by(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
    let producer = format!("00-{TRACE}-0000000000000007-00");

    let meta = meta_of_followup(Some(producer.clone()), traces.tracer()).await?;

    let parent = meta.get("traceparent").ok_or("the trace is passed on")?;
    assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-00"), "{parent}");
    assert_ne!(parent, producer, "the attempt is the producer of its followup");
    assert_eq!(traces.ended(), []);
    Ok(())
}

/// H85: an attempt that begins a trace and is not sampled passes that decision on.
#[tokio::test]
async fn an_unsampled_root_passes_its_decision_on() -> TestResult {
    let traces = Traces::sampled_by(Sampler::AlwaysOff);

    let meta = meta_of_followup(None, traces.tracer()).await?;

    let parent = meta.get("traceparent").ok_or("the trace is passed on")?;
    assert!(parent.ends_with("-00"), "{parent}");
    assert_eq!(traces.ended(), []);
    Ok(())
}

/// The name, the kind, the number of attributes and the number of links of a span, as a sampler sees them.
type Seen = (String, SpanKind, usize, usize);

/// A sampler that records its arguments, and samples everything.
#[derive(Clone, Debug, Default)]
struct Noted(Arc<Mutex<Vec<Seen>>>);

impl ShouldSample for Noted {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        self.0.lock().unwrap().push((name.to_owned(), kind.clone(), attributes.len(), links.len()));
        Sampler::AlwaysOn.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[tokio::test(start_paused = true)]
async fn a_sampler_sees_the_name_the_kind_and_the_links_and_no_attributes() -> TestResult {
    let (noted, memory) = (Noted::default(), MemoryQueue::new());
    let traces = Traces::sampled_by(noted.clone());
    let job = NewJob::from(ship::new()).meta("traceparent", format!("00-{TRACE}-0000000000000007-01"));
    memory.push(vec![job.delay(std::time::Duration::from_secs(1))]).await?;

    let service = QueueService::new(memory.clone(), all()).layer(queue_otel::layer(traces.tracer()));
    service.run_until(memory.idle()).await?;

    let noted = noted.0.lock().unwrap().clone();
    assert_eq!(noted, [("process shipping".to_owned(), SpanKind::Consumer, 0, 1)]);
    assert_eq!(of(&traces.seen(), "process shipping", Some("1")).links.len(), 1);
    Ok(())
}

/// A tracer of spans that do not record. It counts the calls that change a span.
#[derive(Clone, Default)]
struct Unrecorded(Arc<AtomicUsize>);

impl Tracer for Unrecorded {
    type Span = Counted;

    fn build_with_context(&self, _: SpanBuilder, _: &Context) -> Counted {
        let (trace, span) =
            (TraceId::from_hex(TRACE).unwrap(), SpanId::from_hex("0000000000000007").unwrap());
        let context = SpanContext::new(trace, span, TraceFlags::default(), false, TraceState::NONE);
        Counted { context, changes: self.0.clone() }
    }
}

struct Counted {
    context: SpanContext,
    changes: Arc<AtomicUsize>,
}

impl Counted {
    fn count(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Span for Counted {
    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        _: T,
        _: SystemTime,
        _: Vec<KeyValue>,
    ) {
        self.count();
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        false
    }

    fn set_attribute(&mut self, _: KeyValue) {
        self.count();
    }

    fn set_attributes(&mut self, _: impl IntoIterator<Item = KeyValue>) {
        self.count();
    }

    fn set_status(&mut self, _: Status) {
        self.count();
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, _: T) {
        self.count();
    }

    fn add_link(&mut self, _: SpanContext, _: Vec<KeyValue>) {
        self.count();
    }

    fn end_with_timestamp(&mut self, _: SystemTime) {
        self.count();
    }
}

#[tokio::test]
async fn nothing_is_set_on_a_span_that_does_not_record() -> TestResult {
    let tracer = Unrecorded::default();

    let meta = meta_of_followup(None, tracer.clone()).await?;

    let expected = format!("00-{TRACE}-0000000000000007-00");
    assert_eq!(meta.get("traceparent"), Some(expected.as_str()));
    assert_eq!(tracer.0.load(Ordering::SeqCst), 0);
    Ok(())
}
