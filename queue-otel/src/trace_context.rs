//! The W3C trace context of a job, in its meta.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use queue_core::{Meta, NewJob};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The meta key of the trace and the span that pushed the job.
pub(crate) const PARENT: &str = "traceparent";

/// The meta key of the state that tracing systems add to the trace.
pub(crate) const STATE: &str = "tracestate";

/// Writes the current trace context into the meta of a job, unless the caller has set one.
///
/// [`TracedQueue`](crate::TracedQueue) calls it for every job that is pushed through it. A queue that is opened with
/// `.on_push(queue_otel::inject)` calls it also for jobs that are stored in a transaction of the application.
///
/// Without a current trace, or if the meta would exceed its default limit, it changes nothing: a trace makes no push fail.
///
/// ```
/// use queue_core::{Body, NewJob};
///
/// let mut job = NewJob::new("send_welcome", Body::stored("{}")).meta("traceparent", "of the caller");
/// queue_otel::inject(&mut job);
///
/// assert_eq!(job.meta.get("traceparent"), Some("of the caller"));
/// ```
pub fn inject(job: &mut NewJob) {
    if job.meta.get(PARENT).is_some() || job.meta.get(STATE).is_some() {
        return;
    }
    let entries = entries(&current());
    let size: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
    if job.meta.size() + size <= Meta::DEFAULT_LIMIT {
        entries.into_iter().for_each(|(key, value)| job.meta.insert(key, value));
    }
}

/// Returns the context of the current span: that of `tracing`, otherwise that of OpenTelemetry.
fn current() -> Context {
    let context = Span::current().context();
    if context.span().span_context().is_valid() { context } else { Context::current() }
}

/// Returns the meta keys and values of a context; none without a span. An empty state is left out.
pub(crate) fn entries(context: &Context) -> Vec<(String, String)> {
    let mut entries = Entries(Vec::new());
    TraceContextPropagator::new().inject_context(context, &mut entries);
    entries.0.retain(|(_, value)| !value.is_empty());
    entries.0
}

/// Returns the context that the meta of a job has, if there is a valid one.
pub(crate) fn extract(meta: &Meta) -> Option<Context> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &InMeta(meta));
    context.span().span_context().is_valid().then_some(context)
}

/// Returns the span of a context.
pub(crate) fn span_context(context: &Context) -> SpanContext {
    context.span().span_context().clone()
}

struct Entries(Vec<(String, String)>);

impl Injector for Entries {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned(), value));
    }
}

struct InMeta<'a>(&'a Meta);

impl Extractor for InMeta<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key).collect()
    }
}

impl fmt::Debug for InMeta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
