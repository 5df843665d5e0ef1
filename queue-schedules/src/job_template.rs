//! The job of a schedule, as it is stored with the schedule.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    Body, JobName, NewJob, OnConflict, OnDiscard, Partition, QueueError, QueueName, Schedule, Unique,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The job of a schedule, from which each tick makes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobTemplate {
    pub(crate) name: JobName,
    pub(crate) queue: QueueName,
    #[serde(default, skip_serializing_if = "Partition::is_none")]
    partition: Partition,
    payload: Json,
    priority: i32,
    max_attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Duration>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique: Option<UniqueTemplate>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    on_discard: Option<OnDiscard>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct UniqueTemplate {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Duration>,
    #[serde(default)]
    replace: bool,
}

/// JSON text. Its `Debug` text has only the size.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json(Box<RawValue>);

/// Reads a field that is there. `null` is a value of its own, and not a missing field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OnDiscard>, D::Error> {
    OnDiscard::deserialize(deserializer).map(Some)
}

impl JobTemplate {
    /// Creates the template of a job.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure. `Invalid` for a job with an identity or a time of its own.
    pub(crate) fn of(job: &NewJob) -> Result<Self, QueueError> {
        if job.id.is_some() {
            return Err(QueueError::invalid("the job of a schedule has no id: each tick derives one"));
        }
        let delay = match job.schedule {
            Schedule::Now => None,
            Schedule::After(delay) => Some(delay),
            _ => {
                return Err(QueueError::invalid(
                    "the job of a schedule has no time of its own: its tick sets it",
                ));
            }
        };
        let payload = RawValue::from_string(job.body.encode()?.to_string())
            .map_err(|_| QueueError::invalid("the payload is not JSON"))?;
        let unique = job.unique.as_deref().map(|unique| UniqueTemplate {
            key: unique.key.clone(),
            window: unique.window,
            replace: unique.on_conflict == OnConflict::Replace,
        });
        Ok(Self {
            name: job.name.clone(),
            queue: job.queue.clone(),
            partition: job.partition.clone(),
            payload: Json(payload),
            priority: job.priority,
            max_attempts: job.max_attempts,
            delay,
            meta: job.meta.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            unique,
            on_discard: job.on_discard.as_deref().cloned(),
        })
    }

    /// Returns whether the kind of the job has a unique key of its own.
    pub(crate) const fn is_unique(&self) -> bool {
        self.unique.is_some()
    }

    /// Creates a job.
    pub(crate) fn job(&self) -> NewJob {
        let mut job = NewJob::new(self.name.clone(), self.payload.body())
            .queue(self.queue.clone())
            .partition(self.partition.clone())
            .priority(self.priority)
            .max_attempts(self.max_attempts);
        if let Some(delay) = self.delay {
            job = job.delay(delay);
        }
        job.meta = self.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        job.unique = self.unique.as_ref().map(|unique| Box::new(unique.unique()));
        job.on_discard = self.on_discard.clone().map(Arc::new);
        job
    }
}

impl UniqueTemplate {
    fn unique(&self) -> Unique {
        let mut unique = Unique::new(self.key.clone());
        unique.window = self.window;
        if self.replace { unique.replace() } else { unique }
    }
}

impl Json {
    /// Writes a value.
    ///
    /// # Errors
    ///
    /// `Invalid` for a value that JSON cannot represent.
    pub(crate) fn of<T: Serialize>(value: &T) -> Result<Self, QueueError> {
        let raw = serde_json::value::to_raw_value(value);
        raw.map(Self).map_err(|_| QueueError::invalid("the schedule can't be written as JSON"))
    }

    pub(crate) fn body(&self) -> Body {
        Body::stored(self.0.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.get().len())
    }
}
