//! The jobs that laws push.

use std::time::Duration;

use queue_core::{Body, JobId, NewJob, QueueName};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MICROSECOND: Duration = Duration::from_micros(1);

/// Returns a job that carries a number.
pub(crate) fn job(number: u32) -> NewJob {
    NewJob::new("work", json(&format!("{{\"n\":{number}}}")))
}

/// Returns `count` jobs, numbered from 0.
pub(crate) fn jobs(count: u32) -> Vec<NewJob> {
    (0..count).map(job).collect()
}

/// Returns an id of the law's own, which ends in the number.
///
/// The ids decrease while the numbers grow, so that a queue that sorts by id fails the laws about push order.
pub(crate) fn id(number: u32) -> JobId {
    JobId::from_u128(u128::from(!number) << 96 | u128::from(number))
}

/// Returns a payload of JSON text.
pub(crate) fn json(text: &str) -> Body {
    match Body::json(text) {
        Ok(body) => body,
        Err(error) => panic!("the suite created a payload that is not JSON: {error}"),
    }
}

/// Returns the payload's text, if it has one.
pub(crate) fn text(body: &Body) -> String {
    match body.encode() {
        Ok(text) => text.to_string(),
        Err(error) => format!("no text: {error}"),
    }
}

pub(crate) fn queue(name: &str) -> QueueName {
    QueueName::new(name)
}
