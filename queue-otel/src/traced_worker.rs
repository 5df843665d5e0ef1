//! The middleware that traces attempts.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _, Tracer};
use queue_core::{JobContext, Outcome, Worker};

use crate::attempt_span::AttemptSpan;
use crate::trace_context::{Headers, PARENT, STATE};

/// Creates the middleware, for `QueueService::layer`. Add it before other layers, so that they run within the span.
///
/// The tracer creates the span of each attempt, `process {queue}` of the kind CONSUMER. The first attempt of a job that was ready
/// at once is a child of the span that pushed the job. A retry, and any attempt of a delayed or scheduled job, begins a trace of
/// its own, with a link to that span.
///
/// The attributes have the names of OpenTelemetry's conventions for messaging, and `job.name`, `job.attempt` and
/// `job.max_attempts`. At the end of the attempt the span gets `job.outcome`; for a failure also `error.type` and the status
/// ERROR. A span without an outcome has `error.type` `panic` if middleware has panicked, and `dropped` if the attempt was dropped.
///
/// The job runs in the context of the span, so the span is the parent of the jobs that it pushes, of its followups, and of the
/// spans that other instrumentation creates. A sampled attempt records its trace id in the field `trace_id` of the current
/// `tracing` span, if the span has that field, as the framework's span `attempt` does.
///
/// # Sampling
///
/// A sampler sees the name, the kind, the parent and the links of the span, and no attributes: they are set once the sampler has
/// decided to record the span. An attempt that is not sampled passes the decision on to the jobs that it pushes and to
/// its followups.
///
/// # Examples
///
/// ```
/// use opentelemetry::trace::TracerProvider as _;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use queue_core::jobs;
/// use queue_tokio::{MemoryQueue, QueueService};
///
/// let provider = SdkTracerProvider::builder().build(); // with the exporter of your choice
/// let service = QueueService::new(MemoryQueue::new(), jobs![])
///     .layer(queue_otel::layer(provider.tracer("orders")));
/// # let _ = service;
/// ```
pub fn layer<T>(tracer: T) -> impl Fn(Arc<dyn Worker>) -> TracedWorker<T> + Send + Sync + 'static
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    let tracer = Arc::new(tracer);
    move |inner| TracedWorker { tracer: tracer.clone(), inner }
}

/// A worker that runs each attempt of another worker within a span. [`layer`] creates it.
pub struct TracedWorker<T> {
    tracer: Arc<T>,
    inner: Arc<dyn Worker>,
}

#[async_trait]
impl<T> Worker for TracedWorker<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    async fn work(&self, context: &JobContext) -> Outcome {
        let span = AttemptSpan::start(&*self.tracer, context.delivery());
        pass_on(span.context(), context);
        record_trace_id(span.context());
        let outcome = self.inner.work(context).with_context(span.context().clone()).await;
        span.end(&outcome);
        outcome
    }
}

/// Sets the context of the attempt as the trace context of its followups, instead of the producer's context in the job's meta.
fn pass_on(span: &Context, context: &JobContext) {
    let Headers { parent, state } = Headers::of(span);
    if parent.is_empty() {
        return;
    }
    if !state.is_empty() || context.meta().get(STATE).is_some() {
        // The state in the job's meta belongs to its producer's trace.
        context.set_followup_meta(STATE, state);
    }
    context.set_followup_meta(PARENT, parent);
}

/// Records the trace id in the current `tracing` span, for log lines. Omits the id of an attempt that is not sampled, because that
/// trace is not exported.
fn record_trace_id(span: &Context) {
    let span = span.span();
    if span.span_context().is_sampled() {
        let trace_id = span.span_context().trace_id();
        tracing::Span::current().record("trace_id", tracing::field::display(trace_id));
    }
}

impl<T> fmt::Debug for TracedWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedWorker").finish_non_exhaustive()
    }
}
