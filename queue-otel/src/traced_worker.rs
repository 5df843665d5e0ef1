//! The middleware that records the outcome of an attempt, and passes its context on to followups.

use std::sync::Arc;

use async_trait::async_trait;
use queue_core::{FailureCause, JobContext, Outcome, Worker};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace_context::{STATE, entries};

/// Creates the middleware, for `QueueService::layer`. Add it before other layers, with [`make_span`](crate::make_span).
///
/// It records the outcome in the span of the attempt: `job.outcome`; for a failure also `error.type` and the status of the span.
/// It passes the context of the attempt on to followups, so that a followup continues the trace of the attempt that added it.
pub fn layer(inner: Arc<dyn Worker>) -> impl Worker {
    TracedWorker(inner)
}

struct TracedWorker(Arc<dyn Worker>);

#[async_trait]
impl Worker for TracedWorker {
    async fn work(&self, context: &JobContext) -> Outcome {
        let span = Span::current();
        pass_on(&span, context);
        let outcome = self.0.work(context).await;
        span.record("job.outcome", outcome.as_str());
        if let Some(failure) = outcome.failure() {
            span.record("error.type", error_type(failure.cause));
            span.record("otel.status_code", "ERROR");
        }
        outcome
    }
}

/// Passes the context of an attempt on to its followups, in place of the one that its job has from its producer.
fn pass_on(span: &Span, context: &JobContext) {
    let entries = entries(&span.context());
    if entries.len() == 1 && context.meta().get(STATE).is_some() {
        // The state belongs to the producer's trace.
        context.set_followup_meta(STATE, "");
    }
    entries.into_iter().for_each(|(key, value)| context.set_followup_meta(key, value));
}

const fn error_type(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::Panic => "panic",
        FailureCause::Timeout => "timeout",
        FailureCause::UnknownJob => "unknown_job",
        FailureCause::Undecodable => "undecodable",
        FailureCause::Dependency => "dependency",
        FailureCause::Disposal => "disposal",
        _ => "error",
    }
}
