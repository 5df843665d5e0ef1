//! The W3C trace context of a job, in its meta.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use queue_core::{Meta, NewJob};

/// The meta key of the trace and the span that pushed the job.
pub(crate) const PARENT: &str = "traceparent";

/// The meta key of the state that tracing systems add to the trace.
pub(crate) const STATE: &str = "tracestate";

/// Writes the current trace context into the meta of a job, unless the caller has set one.
///
/// [`TracedQueue`](crate::TracedQueue) calls it for every job that is pushed through it. A queue that is opened with
/// `.on_push(queue_otel::inject)` calls it also for jobs that are stored in a transaction of the application.
///
/// The current trace context is `opentelemetry::Context::current()`. Within a `tracing` span it is the context of that span, because
/// `tracing-opentelemetry` makes the context of an entered span current. A layer that is created with
/// `.with_context_activation(false)` does not make it current, so `inject` does not see its spans.
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
    let Headers { parent, state } = Context::map_current(Headers::of);
    let entries = [(PARENT, parent), (STATE, state)].into_iter().filter(|(_, value)| !value.is_empty());
    let size: usize = entries.clone().map(|(key, value)| key.len() + value.len()).sum();
    if job.meta.size() + size <= Meta::DEFAULT_LIMIT {
        entries.for_each(|(key, value)| job.meta.insert(key, value));
    }
}

/// The headers of a context. Both are empty without a trace.
#[derive(Default)]
pub(crate) struct Headers {
    pub(crate) parent: String,
    pub(crate) state: String,
}

impl Headers {
    pub(crate) fn of(context: &Context) -> Self {
        let mut headers = Self::default();
        TraceContextPropagator::new().inject_context(context, &mut headers);
        headers
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        match key {
            PARENT => self.parent = value,
            STATE => self.state = value,
            _ => {}
        }
    }
}

/// Returns the context that the meta of a job has, if there is a valid one.
pub(crate) fn extract(meta: &Meta) -> Option<Context> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &InMeta(meta));
    context.span().span_context().is_valid().then_some(context)
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
