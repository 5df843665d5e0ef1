//! A job as JSON, to be taken out of production and run again in a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::contract::body::Body;
use crate::contract::body::mismatch::{flaw, read};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::Meta;
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::OnDiscard;
use crate::contract::partition::Partition;
use crate::contract::record::{AttemptError, JobRecord};
use crate::contract::result::StoredResult;

/// The version of the export format.
const FORM: u32 = 1;

/// The exported fields of a job: those that decide how it runs, and the errors of its attempts.
#[derive(Serialize, Deserialize)]
struct Exported {
    form: u32,
    /// The version of this framework that exported the job.
    queue_core: String,
    id: JobId,
    name: String,
    queue: String,
    #[serde(default, skip_serializing_if = "Partition::is_none")]
    partition: Partition,
    payload: Box<RawValue>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<String, String>,
    priority: i32,
    attempt: u32,
    max_attempts: u32,
    pushed_at: Timestamp,
    run_at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<AttemptError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    on_discard: Option<OnDiscard>,
}

/// Reads a field that is present. `null` is a value of its own, and not a missing field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OnDiscard>, D::Error> {
    OnDiscard::deserialize(deserializer).map(Some)
}

impl JobRecord {
    /// Returns the job as JSON, with its payload, meta, attempts, errors, unique key and result, for
    /// `queue_testkit::TestKit::replay` and [`Admin::import`](crate::Admin::import).
    /// It contains all data of the job: review it before you commit it to a repository.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure, `Invalid` for a payload that is not JSON.
    pub fn export(&self) -> Result<String, QueueError> {
        let payload = self.body.encode()?;
        let invalid = |error: serde_json::Error| {
            QueueError::invalid("the job can't be written as JSON").with_source(flaw(&error))
        };
        let exported = Exported {
            form: FORM,
            queue_core: env!("CARGO_PKG_VERSION").to_owned(),
            id: self.id,
            name: self.name.to_string(),
            queue: self.queue.to_string(),
            partition: self.partition.clone(),
            payload: RawValue::from_string(payload.to_string()).map_err(invalid)?,
            meta: self.meta.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            priority: self.priority,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            pushed_at: self.pushed_at,
            run_at: self.run_at,
            errors: self.errors.clone(),
            unique: self.unique.clone(),
            unique_until: self.unique_until,
            result: self.result.as_ref().map(raw).transpose().map_err(invalid)?,
            on_discard: self.on_discard.as_deref().cloned(),
        };
        serde_json::to_string_pretty(&exported).map_err(invalid)
    }

    /// Reads the text that [`export`](Self::export) returned. The record is available, also if the exported job was not.
    ///
    /// # Errors
    ///
    /// `Invalid` for any other text, and for a text that a newer version of this framework exported.
    pub fn import(text: &str) -> Result<Self, QueueError> {
        let invalid = |error: String| QueueError::invalid("not an exported job").with_source(error);
        let exported: Exported = read(text).map_err(invalid)?;
        if exported.form != FORM {
            let Exported { form, queue_core, .. } = exported;
            let text = format!(
                "this job was exported by queue-core {queue_core}, in form {form}: this version reads only form {FORM}"
            );
            return Err(QueueError::invalid(text));
        }
        let body = Body::stored(exported.payload.get());
        let mut record = Self::new(exported.id, JobName::from(exported.name), body);
        record.queue = QueueName::from(exported.queue);
        record.partition = exported.partition;
        record.meta = exported.meta.into_iter().collect::<Meta>();
        record.priority = exported.priority;
        record.attempt = exported.attempt;
        record.max_attempts = exported.max_attempts;
        record.pushed_at = exported.pushed_at;
        record.run_at = exported.run_at;
        record.errors = exported.errors;
        record.unique = exported.unique;
        record.unique_until = exported.unique_until;
        record.result = exported.result.map(|result| StoredResult::stored(result.get()));
        record.on_discard = exported.on_discard.map(Arc::new);
        Ok(record)
    }
}

fn raw(result: &StoredResult) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(result.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_job_can_be_imported() {
        let mut record = JobRecord::new(
            JobId::from_u128(7),
            JobName::from("send_welcome".to_owned()),
            Body::stored(r#"{"user_id": 42,  "template": "ß"}"#),
        );
        record.queue = QueueName::from("mail".to_owned());
        record.meta.insert("trace", "abc");
        (record.priority, record.attempt, record.max_attempts) = (-1, 3, 5);
        (record.pushed_at, record.run_at) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        record.errors.push(AttemptError::lease_expired(1, 5, Timestamp::from_micros(3)));
        record.unique = Some("welcome-42".to_owned());
        record.unique_until = Some(Timestamp::from_micros(4));
        record.result = Some(StoredResult::stored(r#"{"url":  "/7"}"#));
        record.on_discard = Some(Arc::new(OnDiscard::nothing()));

        let read = JobRecord::import(&record.export().unwrap()).unwrap();

        assert_eq!(format!("{read:?}"), format!("{record:?}"));
        assert_eq!(read.body.encode().unwrap(), record.body.encode().unwrap(), "byte for byte");
        assert_eq!(read.result, record.result);
    }

    #[test]
    fn a_record_serializes_in_the_form_of_an_export() {
        let mut record =
            JobRecord::new(JobId::from_u128(7), "a".into(), Body::stored(r#"{"n": 1.50,  "text": "ß"}"#));
        record.meta.insert("trace", "abc");
        record.errors.push(AttemptError::new(1, Timestamp::from_micros(3), "no"));
        record.unique = Some("key".into());

        let text = serde_json::to_string(&record).unwrap();

        assert!(
            text.contains(r#""payload":{"n": 1.50,  "text": "ß"},"state":"available""#),
            "byte for byte: {text}"
        );
        let read =
            |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap();
        let (shown, exported) = (read(&text), read(&record.export().unwrap()));
        assert_eq!(shown["unique"], "key");
        for (field, value) in
            exported.iter().filter(|(field, _)| !["form", "queue_core"].contains(&field.as_str()))
        {
            assert_eq!(shown.get(field), Some(value), "{field}");
        }
    }

    #[test]
    fn a_closure_and_a_text_that_is_not_json_serialize_too() {
        let shown = |body: Body| {
            let record = JobRecord::new(JobId::from_u128(7), "a".into(), body);
            serde_json::to_value(&record).map(|record| record["payload"].clone()).unwrap()
        };

        assert_eq!(shown(crate::NewJob::call(async |_| ()).body), serde_json::Value::Null);
        assert_eq!(shown(Body::stored("unreadable")), "unreadable");
        assert_eq!(shown(Body::NULL), serde_json::Value::Null);
    }

    #[test]
    fn a_text_that_is_not_an_exported_job_is_refused() {
        let error = JobRecord::import("{}").unwrap_err();
        assert_eq!(error.to_string(), "not an exported job");

        let newer = JobRecord::new(JobId::from_u128(7), JobName::from("a".to_owned()), Body::stored("null"));
        let newer = newer.export().unwrap().replace("\"form\": 1", "\"form\": 2");
        let error = JobRecord::import(&newer).unwrap_err();
        assert!(error.to_string().contains("in form 2"), "{error}");
    }
}
