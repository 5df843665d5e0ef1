//! A discarded job, as its `on_discard` job receives it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::contract::body::mismatch::flaw;
use crate::contract::body::{Body, DecodeError};
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::NewJob;
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::{DiscardHandler, OnDiscard};
use crate::contract::record::{AttemptError, JobRecord};

/// A discarded job: the payload of the job that its [`OnDiscard`] names. The function of that job takes it as its only parameter.
///
/// ```
/// use queue_core::{Discarded, background_job};
///
/// #[background_job]
/// async fn ship(order: u64) -> Result<(), String> {
///     Err(format!("no carrier takes order {order}"))
/// }
///
/// #[background_job]
/// async fn refund(discarded: Discarded) -> Result<(), queue_core::JobError> {
///     let ship { order } = discarded.payload()?;
///     println!("refunding order {order}: {}", discarded.last_error());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Discarded {
    /// The identity of the discarded job.
    pub id: JobId,
    /// Its kind.
    pub name: JobName,
    /// Its queue.
    pub queue: QueueName,
    /// The number of its counted attempts.
    pub attempt: u32,
    /// The maximum number of its attempts.
    pub max_attempts: u32,
    /// The errors of its attempts, oldest first; at most [`AttemptError::KEPT`].
    pub errors: Vec<AttemptError>,
    payload: RawPayload,
}

impl Discarded {
    /// Creates the value for a stored job, for tests of a function that takes it.
    ///
    /// The payload is `null` if the job's payload is not JSON: a closure, for example.
    #[must_use]
    pub fn of(job: &JobRecord) -> Self {
        let payload = job.body.encode().ok().and_then(|text| RawValue::from_string(text.to_string()).ok());
        Self {
            id: job.id,
            name: job.name.clone(),
            queue: job.queue.clone(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            errors: job.errors.clone(),
            payload: RawPayload(payload.unwrap_or_else(|| RawValue::NULL.to_owned())),
        }
    }

    /// Decodes the payload, for example to the type of the discarded job.
    ///
    /// # Errors
    ///
    /// If the payload is of another type. The error has the path and the kind of the value that was found.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        Body::stored(self.payload_json()).decode()
    }

    /// Returns the payload as JSON, byte for byte as it was stored.
    #[must_use]
    pub fn payload_json(&self) -> &str {
        self.payload.0.get()
    }

    /// Returns the message of the last error, for which the job was discarded. It is empty if the job has no error.
    #[must_use]
    pub fn last_error(&self) -> &str {
        self.errors.last().map_or("", |error| &error.message)
    }
}

/// JSON text. Its `Debug` shows the size only.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct RawPayload(Box<RawValue>);

impl PartialEq for RawPayload {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for RawPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawPayload({} bytes)", self.0.get().len())
    }
}

impl OnDiscard {
    /// Returns the job to be stored with the discard of a job, or `None` if nothing is to be stored.
    ///
    /// A backend calls it with the job as it is after the discard, its last error included, and stores the result in the same
    /// transaction, without checking limits.
    #[must_use]
    pub fn job_for(&self, discarded: JobRecord) -> Option<NewJob> {
        let handler = self.handler()?.clone();
        let (meta, queue) = (discarded.meta.clone(), handler.queue.clone());
        let (name, priority, max_attempts) = (handler.name.clone(), handler.priority, handler.max_attempts);
        // The payload is encoded when it is read: in memory, the discarded one may be a value of a user's type, whose `Serialize`
        // must not run under the table's lock.
        let body = Body::deferred(move || argument(&handler, &Discarded::of(&discarded)));
        let mut job = NewJob::new(name, body).queue(queue).priority(priority).max_attempts(max_attempts);
        job.meta = meta;
        job.on_discard = Some(Arc::new(Self::nothing()));
        Some(job)
    }
}

/// Encodes the payload: an object with one parameter.
fn argument(handler: &DiscardHandler, discarded: &Discarded) -> Result<Arc<str>, QueueError> {
    let written = serde_json::to_string(&handler.parameter)
        .and_then(|name| Ok(format!("{{{name}:{}}}", serde_json::to_string(discarded)?)));
    written.map(Into::into).map_err(|error| {
        QueueError::invalid("a discarded job can't be written as JSON").with_source(flaw(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::clock::Timestamp;

    fn record(body: Body) -> JobRecord {
        let mut record = JobRecord::new(JobId::from_u128(7), JobName::from_static("charge"), body);
        record.meta.insert("tenant", "acme");
        record.errors.push(AttemptError::new(1, Timestamp::from_micros(5), "no\n\"card\""));
        record.attempt = 1;
        record
    }

    #[test]
    fn the_job_of_a_discard_has_the_discarded_one_as_its_parameter() {
        let on_discard = OnDiscard::named("alert", "job", 3).queue("ops").priority(-1);

        let job = on_discard.job_for(record(Body::stored("{\"cents\": 1.50}"))).unwrap();

        assert_eq!((job.name.as_str(), job.queue.as_str()), ("alert", "ops"));
        assert_eq!((job.priority, job.max_attempts, job.meta.get("tenant")), (-1, 3, Some("acme")));
        assert_eq!(job.on_discard.as_deref(), Some(&OnDiscard::nothing()));
        let text = r#"{"job":{"id":"00000000-0000-0000-0000-000000000007","name":"charge","queue":"default","attempt":1,"max_attempts":5,"errors":[{"attempt":1,"at":5,"message":"no\n\"card\""}],"payload":{"cents": 1.50}}}"#;
        assert_eq!(&*job.body.encode().unwrap(), text);
    }

    #[test]
    fn a_payload_that_is_no_json_is_null() {
        let closure = Body::once(Box::new(()));

        for body in [closure, Body::stored("unreadable")] {
            assert_eq!(Discarded::of(&record(body)).payload_json(), "null");
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        let shown = format!("{:?}", Discarded::of(&record(Body::stored("{\"card\":4111}"))));

        assert!(!shown.contains("4111") && shown.contains("RawPayload(13 bytes)"), "{shown}");
    }

    #[test]
    fn the_setting_is_stored_as_json() {
        for on_discard in [OnDiscard::nothing(), OnDiscard::named("alert", "job", 3).queue("ops")] {
            assert_eq!(OnDiscard::from_json(&on_discard.to_json().unwrap()).unwrap(), on_discard);
        }
        assert_eq!(OnDiscard::nothing().to_json().unwrap(), "null");
        assert!(OnDiscard::from_json("7").is_err());
    }
}
