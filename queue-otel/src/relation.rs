//! The relation of an attempt to the span that pushed its job.

use opentelemetry::Context;
use opentelemetry::trace::{Link, TraceContextExt as _};
use queue_core::Delivery;

/// The relation of an attempt to the span that pushed its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The attempt is a child of that span.
    Child,
    /// The attempt begins a trace, with a link to that span, because it runs later, or again.
    Linked,
}

impl Relation {
    /// Returns the relation of an attempt: only the first one of a job that was ready at once is a child.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let was_ready_at_once = delivery.run_at <= delivery.pushed_at;
        if delivery.attempt == 1 && was_ready_at_once { Self::Child } else { Self::Linked }
    }

    /// Returns the parent context of an attempt and its links. Without a parent the context is empty, so that the attempt does not
    /// become a child of the worker's current span.
    pub(crate) fn to(self, producer: Option<Context>) -> (Context, Option<Vec<Link>>) {
        match (self, producer) {
            (Self::Child, Some(producer)) => (producer, None),
            (Self::Linked, Some(producer)) => {
                let link = Link::with_context(producer.span().span_context().clone());
                (Context::new(), Some(vec![link]))
            }
            (_, None) => (Context::new(), None),
        }
    }
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
