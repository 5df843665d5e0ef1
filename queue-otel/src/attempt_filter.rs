//! The filter for programs that export `tracing` spans too.

use tracing::Metadata;

/// Returns `false` for the `tracing` span `attempt` of the framework, and `true` for every other span or event.
///
/// # Attempts that are exported twice
///
/// The framework creates a `tracing` span `attempt` for log lines, and [`layer`](crate::layer) creates the exported span of the
/// same attempt. A layer of `tracing-opentelemetry` without a filter exports the span `attempt` as well: a second span of each
/// attempt, in a trace of its own, without the spans of the job.
///
/// ```
/// # use opentelemetry::trace::TracerProvider as _;
/// # use tracing_subscriber::prelude::*;
/// # let provider = opentelemetry_sdk::trace::SdkTracerProvider::default();
/// let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
/// let subscriber = tracing_subscriber::registry().with(spans); // wrong
/// # let _ = subscriber;
/// ```
///
/// With this filter on that layer, each attempt is exported once. Other layers, such as one that writes log lines, keep the span
/// `attempt`.
///
/// ```
/// # use opentelemetry::trace::TracerProvider as _;
/// # use tracing_subscriber::prelude::*;
/// use tracing_subscriber::filter::filter_fn;
///
/// # let provider = opentelemetry_sdk::trace::SdkTracerProvider::default();
/// let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
/// let spans = spans.with_filter(filter_fn(queue_otel::is_not_attempt));
/// let subscriber = tracing_subscriber::registry().with(spans); // right
/// # let _ = subscriber;
/// ```
///
/// A span that a function of `QueueService::make_span` creates is not recognized. The program leaves it out by its name.
#[must_use]
pub fn is_not_attempt(metadata: &Metadata<'_>) -> bool {
    let is_attempt = metadata.is_span()
        && metadata.name() == "attempt"
        && metadata.target().split("::").next() == Some("queue_core");
    !is_attempt
}
