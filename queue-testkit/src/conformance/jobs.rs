//! Jobs that laws push.

use std::time::Duration;

use queue_core::{Body, JobId, NewJob, QueueName};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MICROSECOND: Duration = Duration::from_micros(1);

/// A job that carries a number.
pub(crate) fn job(number: u32) -> NewJob {
    NewJob::new("work", json(&format!("{{\"n\":{number}}}")))
}

/// So many jobs, numbered from 0.
pub(crate) fn jobs(count: u32) -> Vec<NewJob> {
    (0..count).map(job).collect()
}

/// An identity of the law's own, which ends in the number.
///
/// They fall while the numbers grow, so that a queue which sorts by identity can't pass for one that keeps push order.
pub(crate) fn id(number: u32) -> JobId {
    JobId::from_u128(u128::from(!number) << 96 | u128::from(number))
}

/// A payload of JSON text.
pub(crate) fn json(text: &str) -> Body {
    match Body::json(text) {
        Ok(body) => body,
        Err(error) => panic!("the suite made a payload that is no JSON: {error}"),
    }
}

/// The payload's text, where it has one.
pub(crate) fn text(body: &Body) -> String {
    match body.encode() {
        Ok(text) => text.to_string(),
        Err(error) => format!("no text: {error}"),
    }
}

pub(crate) fn queue(name: &str) -> QueueName {
    QueueName::new(name)
}
