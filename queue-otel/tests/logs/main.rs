//! Tests what log lines and a layer of `tracing-opentelemetry` show of an attempt: the framework's `tracing` span `attempt`.
//!
//! A binary of its own: each test here uses that span. If a test whose subscriber leaves it out creates the span for the first time
//! just when another test installs a subscriber, the span can be switched off for the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider, ShouldSample, SpanData,
};
use queue_core::{JobError, QueueExt as _, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tracing::instrument]
async fn charge() {
    tracing::info!("charging");
}

#[background_job(max_attempts = 1)]
async fn pay() -> Result<(), JobError> {
    tokio::task::yield_now().await;
    tracing::info!("paying");
    charge().await;
    let _own = tracing::info_span!("attempt").entered();
    Err("no money".into())
}

/// The spans and log lines of a service.
#[derive(Clone)]
struct Recorded {
    exporter: InMemorySpanExporter,
    tracer: SdkTracer,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Recorded {
    fn new(sampler: impl ShouldSample + 'static) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
        let tracer = provider.with_sampler(sampler).build().tracer("test");
        Self { exporter, tracer, text: Arc::default() }
    }

    /// Returns the layer that writes log lines.
    fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + Send + Sync + use<S> {
        let writer = self.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        lines.with_filter(LevelFilter::INFO)
    }

    /// Runs the job and returns the log lines of its attempt.
    async fn run(
        &self,
        change: impl Fn(QueueService) -> QueueService,
    ) -> Result<Vec<String>, queue_core::BoxError> {
        let memory = MemoryQueue::new();
        memory.enqueue(pay::new()).await?;
        let service =
            QueueService::new(memory.clone(), jobs![pay]).layer(queue_otel::layer(self.tracer.clone()));
        change(service).run_until(memory.idle()).await?;
        let text = String::from_utf8(self.text.lock().unwrap().clone())?;
        let of_the_job = |line: &&str| line.contains("charging") || line.contains("no money");
        let lines: Vec<_> = text.lines().filter(of_the_job).map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{text}");
        Ok(lines)
    }

    fn spans(&self, name: &str) -> Vec<SpanData> {
        let ended = self.exporter.get_finished_spans().unwrap();
        ended.into_iter().filter(|span| span.name == name).collect()
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Each log line of a sampled attempt shows its trace, and so does the line of its failure.
#[tokio::test]
async fn log_lines_show_the_trace_of_a_sampled_attempt() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOn);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.lines()));

    let lines = recorded.run(|service| service).await?;

    let trace = recorded.spans("process default")[0].span_context.trace_id();
    for line in lines {
        assert!(line.contains("attempt{") && line.contains(&format!("trace_id={trace}")), "{line}");
    }
    Ok(())
}

/// An id that is not sampled would lead to no trace.
#[tokio::test]
async fn log_lines_do_not_show_a_trace_that_is_not_sampled() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOff);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.lines()));

    for line in recorded.run(|service| service).await? {
        assert!(line.contains("attempt{") && !line.contains("trace_id"), "{line}");
    }
    Ok(())
}

/// A span that the program makes shows the trace if it has the field.
#[tokio::test]
async fn a_span_of_the_program_shows_the_trace_in_its_field() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOn);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.lines()));
    let own = |service: QueueService| {
        service.make_span(|_| tracing::info_span!("job", trace_id = tracing::field::Empty))
    };

    let lines = recorded.run(own).await?;

    let trace = recorded.spans("process default")[0].span_context.trace_id();
    assert!(lines[0].contains(&format!("job{{trace_id={trace}}}")), "{}", lines[0]);
    Ok(())
}

/// With the filter each attempt is exported once, and is the parent of the job's `tracing` spans, while log lines keep the
/// framework's span.
#[tokio::test]
async fn with_the_filter_an_attempt_is_exported_once() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOn);
    let spans = tracing_opentelemetry::layer().with_tracer(recorded.tracer.clone());
    let spans = spans.with_filter(filter_fn(queue_otel::is_not_attempt));
    let subscriber = tracing_subscriber::registry().with(spans).with(recorded.lines());
    let _guard = tracing::subscriber::set_default(subscriber);

    let lines = recorded.run(|service| service).await?;

    assert!(lines[0].contains("attempt{"), "{}", lines[0]);
    let attempt = recorded.spans("process default");
    let charge = recorded.spans("charge");
    assert_eq!((attempt.len(), charge.len()), (1, 1));
    assert_eq!(charge[0].parent_span_id, attempt[0].span_context.span_id());
    assert_eq!(charge[0].span_context.trace_id(), attempt[0].span_context.trace_id());
    let own = recorded.spans("attempt");
    assert_eq!(own.len(), 1, "the job's own span of that name is kept: {own:#?}");
    assert_eq!(own[0].parent_span_id, attempt[0].span_context.span_id());
    Ok(())
}

/// With the filter a log line of the job is an event of the job's own span that it is in, if there is one.
#[tokio::test]
async fn a_log_line_is_an_event_of_the_jobs_own_span() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOn);
    let spans = tracing_opentelemetry::layer().with_tracer(recorded.tracer.clone());
    let spans = spans.with_filter(filter_fn(queue_otel::is_not_attempt));
    let subscriber = tracing_subscriber::registry().with(spans).with(recorded.lines());
    let _guard = tracing::subscriber::set_default(subscriber);

    recorded.run(|service| service).await?;

    let events = |name| recorded.spans(name)[0].events.iter().map(|event| event.name.to_string()).collect();
    let (of_the_attempt, of_the_job): (Vec<_>, Vec<_>) = (events("process default"), events("charge"));
    assert_eq!((of_the_attempt, of_the_job), (vec![], vec!["charging".to_owned()]));
    Ok(())
}

/// A layer that notes for each log line of the job, and for that of its failure, whether OpenTelemetry's context has a trace.
#[derive(Clone, Default)]
struct Appender(Arc<Mutex<Vec<(Level, bool)>>>);

impl<S: Subscriber> Layer<S> for Appender {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if target == module_path!() || level <= Level::WARN {
            let has_trace = Context::map_current(|current| current.span().span_context().is_valid());
            self.0.lock().unwrap().push((level, has_trace));
        }
    }
}

/// The exported span has ended when the failure is logged, so that line is in no context of OpenTelemetry.
#[tokio::test]
async fn the_line_of_a_failure_is_in_no_context() -> TestResult {
    let (recorded, appender) = (Recorded::new(Sampler::AlwaysOn), Appender::default());
    let subscriber = tracing_subscriber::registry().with(appender.clone()).with(recorded.lines());
    let _guard = tracing::subscriber::set_default(subscriber);

    recorded.run(|service| service).await?;

    let noted = appender.0.lock().unwrap().clone();
    assert_eq!(noted, [(Level::INFO, true), (Level::INFO, true), (Level::ERROR, false)]);
    Ok(())
}

/// Without the filter the framework's span is exported too: this is the trap.
#[tokio::test]
async fn without_the_filter_an_attempt_is_exported_twice() -> TestResult {
    let recorded = Recorded::new(Sampler::AlwaysOn);
    let spans = tracing_opentelemetry::layer().with_tracer(recorded.tracer.clone());
    let subscriber = tracing_subscriber::registry().with(spans).with(recorded.lines());
    let _guard = tracing::subscriber::set_default(subscriber);

    recorded.run(|service| service).await?;

    let attempt = recorded.spans("process default");
    assert_eq!(recorded.spans("charge")[0].parent_span_id, attempt[0].span_context.span_id());
    assert_eq!(recorded.spans("attempt").len(), 2, "that of the framework and that of the job");
    Ok(())
}
