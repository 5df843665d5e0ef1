//! The span of an attempt.

use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer};
use opentelemetry::{Context, KeyValue};
use queue_core::{Delivery, FailureCause, Outcome};

use crate::relation::Relation;
use crate::trace_context::extract;

/// The span of a running attempt, in a context that makes it the parent of the job's own spans.
///
/// It ends with the attempt, even if a task that the job has spawned keeps the context.
pub(crate) struct AttemptSpan {
    context: Context,
    /// Whether the span records, and has not ended.
    is_recording: bool,
}

impl AttemptSpan {
    /// Starts the span of an attempt.
    ///
    /// The sampler decides before the attributes are built, so an attempt that is not recorded does not pay for them.
    pub(crate) fn start<T>(tracer: &T, delivery: &Delivery) -> Self
    where
        T: Tracer,
        T::Span: Send + Sync + 'static,
    {
        let (parent, links) = Relation::of(delivery).to(extract(&delivery.meta));
        let name = ["process ", delivery.queue.as_str()].concat();
        let builder =
            SpanBuilder { span_kind: Some(SpanKind::Consumer), links, ..SpanBuilder::from_name(name) };
        let mut span = tracer.build_with_context(builder, &parent);
        let is_recording = span.is_recording();
        let context = if !span.span_context().is_valid() {
            // A provider that has been shut down creates no spans. The job then stays in its producer's trace.
            parent
        } else if is_recording {
            span.set_attributes(attributes(delivery));
            parent.with_span(span)
        } else {
            // A span that does not record has only its identifiers. Storing them without the span costs less.
            parent.with_remote_span_context(span.span_context().clone())
        };
        Self { context, is_recording }
    }

    /// Returns the context in which the job runs.
    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    /// Records the outcome of the attempt, and ends the span.
    pub(crate) fn end(mut self, outcome: &Outcome) {
        let failure = outcome.failure().map(|failure| error_type(failure.cause));
        self.end_with(Some(outcome.as_str()), failure);
    }

    fn end_with(&mut self, outcome: Option<&'static str>, error_type: Option<&'static str>) {
        if !std::mem::take(&mut self.is_recording) {
            return;
        }
        let span = self.context.span();
        if let Some(outcome) = outcome {
            span.set_attribute(KeyValue::new("job.outcome", outcome));
        }
        if let Some(error_type) = error_type {
            span.set_attribute(KeyValue::new("error.type", error_type));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for AttemptSpan {
    /// Ends the span of an attempt without an outcome: the worker within has panicked, or the attempt was dropped.
    fn drop(&mut self) {
        let cause = if std::thread::panicking() { "panic" } else { "dropped" };
        self.end_with(None, Some(cause));
    }
}

fn attributes(delivery: &Delivery) -> [KeyValue; 8] {
    [
        KeyValue::new("messaging.system", "queue"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", delivery.queue.as_str().to_owned()),
        KeyValue::new("messaging.message.id", delivery.id().to_string()),
        KeyValue::new("job.name", delivery.name.as_str().to_owned()),
        KeyValue::new("job.attempt", i64::from(delivery.attempt)),
        KeyValue::new("job.max_attempts", i64::from(delivery.max_attempts)),
    ]
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
