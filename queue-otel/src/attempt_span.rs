//! The span of an attempt.

use queue_core::Delivery;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace_context::{extract, span_context};

/// The relation of an attempt to the span that pushed its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// The attempt is a child of that span.
    Child,
    /// The attempt begins a trace, with a link to that span, because it runs later, or again.
    Linked,
}

impl Relation {
    /// Returns the relation of an attempt: only the first one of a job that was ready at once is a child.
    fn of(delivery: &Delivery) -> Self {
        let was_ready_at_once = delivery.run_at <= delivery.pushed_at;
        if delivery.attempt == 1 && was_ready_at_once { Self::Child } else { Self::Linked }
    }
}

/// Creates the span of an attempt, `process {queue}` of the kind CONSUMER, for `QueueService::make_span`.
///
/// Its fields have the names of OpenTelemetry's conventions for messaging, and `job.name`, `job.attempt` and `job.max_attempts`.
/// [`layer`](crate::layer) adds the outcome of the attempt.
///
/// The first attempt of a job that was ready at once is a child of the span that pushed the job. A retry, and any attempt of a
/// delayed or scheduled job, begins a trace of its own, with a link to that span.
#[must_use]
pub fn make_span(delivery: &Delivery) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = format!("process {}", delivery.queue),
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "queue",
        messaging.operation.name = "process",
        messaging.operation.r#type = "process",
        messaging.destination.name = %delivery.queue,
        messaging.message.id = %delivery.id(),
        job.name = %delivery.name,
        job.attempt = delivery.attempt,
        job.max_attempts = delivery.max_attempts,
        job.outcome = Empty,
        error.r#type = Empty,
    );
    if let Some(producer) = extract(&delivery.meta) {
        match Relation::of(delivery) {
            // The span has just been created, so it has no parent yet; without an exporter it has no place for one.
            Relation::Child => drop(span.set_parent(producer)),
            Relation::Linked => span.add_link(span_context(&producer)),
        }
    }
    span
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::{Body, Fence, JobId, JobName, JobRecord, Lease, Timestamp};

    use super::*;

    fn relation(attempt: u32, fence: u64, delay: Duration) -> Relation {
        let mut record = JobRecord::new(JobId::from_u128(1), JobName::from_static("job"), Body::stored("{}"));
        record.attempt = attempt;
        record.pushed_at = Timestamp::from_micros(5_000_000);
        record.run_at = record.pushed_at.saturating_add(delay);
        let lease = Lease::new(record.id, Fence(fence), Lease::DEFAULT_LENGTH, Timestamp::MAX);
        Relation::of(&Delivery::new(record, lease))
    }

    #[test]
    fn only_the_first_attempt_of_a_job_that_was_ready_at_once_is_a_child() {
        let (now, later) = (Duration::ZERO, Duration::from_secs(1));

        assert_eq!(relation(1, 1, now), Relation::Child);
        assert_eq!(relation(1, 2, now), Relation::Child, "a released job has not run");
        assert_eq!(relation(1, 1, later), Relation::Linked, "delayed, scheduled or snoozed");
        assert_eq!(relation(2, 2, later), Relation::Linked, "retried");
        assert_eq!(relation(2, 2, now), Relation::Linked, "retried after its lease expired");
    }
}
