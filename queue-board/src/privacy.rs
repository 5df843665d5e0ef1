//! The rule for the private fields of jobs: which are shown, and how.

use std::fmt;
use std::sync::Arc;

use queue_core::{Body, JobRecord, StoredResult};
use serde::Serialize;

use crate::json_text::mask;
use crate::text::number::grouped;

/// A private part of a job, as a redactor receives it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Private<'a> {
    /// The job. Its private fields are here as they are stored.
    pub job: &'a JobRecord,
    /// The field.
    pub field: PrivateField<'a>,
    /// The text of the field: JSON for payloads and results.
    pub text: &'a str,
}

/// A field with private content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivateField<'a> {
    /// The payload.
    Payload,
    /// The result.
    Result,
    /// The value of a key of the meta.
    Meta(&'a str),
    /// The unique key.
    UniqueKey,
    /// The error of an attempt, the reason of a cancellation, or the note of a progress.
    Message,
}

/// A redactor that shows every field as it is stored.
#[must_use]
pub fn show_all(private: &Private<'_>) -> Option<String> {
    Some(private.text.to_owned())
}

/// Creates a redactor that shows everything but the values of some keys: of objects in payloads and results, at any depth, and of
/// meta.
///
/// The other values keep their form, digit by digit.
pub fn hide_keys<K: Into<String>>(
    keys: impl IntoIterator<Item = K>,
) -> impl Fn(&Private<'_>) -> Option<String> + Send + Sync + 'static {
    let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
    move |private| match private.field {
        PrivateField::Payload | PrivateField::Result => Some(mask(private.text, &keys)),
        PrivateField::Meta(key) if keys.iter().any(|hidden| hidden == key) => None,
        PrivateField::Meta(_) | PrivateField::UniqueKey | PrivateField::Message => {
            Some(private.text.to_owned())
        }
    }
}

type Redactor = Arc<dyn Fn(&Private<'_>) -> Option<String> + Send + Sync>;

/// The rule of a board for private fields.
#[derive(Clone, Default)]
pub(crate) struct Privacy(Option<Redactor>);

/// A field as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    /// The size of the whole text, if it is known.
    pub(crate) bytes: Option<usize>,
    /// The text, unless it is hidden.
    pub(crate) text: Option<String>,
    /// Whether the text is only the beginning.
    pub(crate) is_cut: bool,
}

impl Shown {
    /// The maximum size of a shown text, in bytes.
    const LIMIT: usize = 64 << 10;

    fn hidden(bytes: Option<usize>) -> Self {
        Self { bytes, text: None, is_cut: false }
    }

    fn text(mut text: String) -> Self {
        let bytes = Some(text.len());
        let is_cut = text.len() > Self::LIMIT;
        if is_cut {
            text.truncate(text.floor_char_boundary(Self::LIMIT));
            text.shrink_to_fit();
        }
        Self { bytes, text: Some(text), is_cut }
    }

    /// Returns a note on the rest of the field, if a part of it is not shown.
    pub(crate) fn note(&self) -> Option<String> {
        let bytes = self.bytes.map(|bytes| format!("{} bytes", grouped(bytes as u64)));
        match (&self.text, bytes) {
            (None, Some(bytes)) => Some(format!("hidden, {bytes}")),
            (None, None) => Some("hidden".to_owned()),
            (Some(_), Some(bytes)) if self.is_cut => Some(format!("the first 64 KiB of {bytes}")),
            (Some(_), _) => None,
        }
    }
}

impl Privacy {
    pub(crate) fn through(redactor: impl Fn(&Private<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(redactor)))
    }

    /// Returns whether private fields may be shown at all.
    pub(crate) fn shows(&self) -> bool {
        self.0.is_some()
    }

    fn redact(&self, job: &JobRecord, field: PrivateField<'_>, text: &str) -> Option<String> {
        self.0.as_ref().and_then(|redactor| redactor(&Private { job, field, text }))
    }

    /// Returns a private field as it is shown.
    pub(crate) fn show(&self, job: &JobRecord, field: PrivateField<'_>, text: &str) -> Shown {
        self.redact(job, field, text).map_or_else(|| Shown::hidden(Some(text.len())), Shown::text)
    }

    /// Returns an error text, a reason or a note as it is shown: as it is, without a redactor.
    pub(crate) fn message(&self, job: &JobRecord, text: &str) -> String {
        let shown = match &self.0 {
            None => Some(text.to_owned()),
            Some(_) => self.redact(job, PrivateField::Message, text),
        };
        shown.unwrap_or_else(|| "(hidden)".to_owned())
    }

    /// Returns the payload as it is shown. A hidden one is not encoded.
    pub(crate) fn payload(&self, job: &JobRecord) -> Shown {
        if !self.shows() {
            return Shown::hidden(job.body.encoded_len());
        }
        job.body
            .encode()
            .map_or_else(|_| Shown::hidden(None), |text| self.show(job, PrivateField::Payload, &text))
    }

    /// Returns a record with each private field as it is shown, whole, for an export. `None` if the payload is hidden, or is a
    /// closure.
    pub(crate) fn record(&self, job: &JobRecord) -> Option<JobRecord> {
        let payload = self.redact(job, PrivateField::Payload, &job.body.encode().ok()?)?;
        let mut shown = self.with_messages(job);
        shown.body = Body::json(payload.as_str())
            .unwrap_or_else(|_| Body::stored(serde_json::Value::String(payload).to_string()));
        let meta = job.meta.iter();
        let meta =
            meta.filter_map(|(key, value)| Some((key, self.redact(job, PrivateField::Meta(key), value)?)));
        shown.meta = meta.collect();
        let unique = job.unique.as_ref().and_then(|key| self.redact(job, PrivateField::UniqueKey, key));
        shown.unique = unique;
        let result =
            job.result.as_ref().and_then(|result| self.redact(job, PrivateField::Result, result.as_str()));
        shown.result = result.and_then(|text| StoredResult::json(text).ok());
        Some(shown)
    }

    /// Returns a record with its messages as they are shown. Its other private fields are as they are stored.
    pub(crate) fn with_messages(&self, job: &JobRecord) -> JobRecord {
        let mut shown = job.clone();
        for error in &mut shown.errors {
            error.message = self.message(job, &error.message);
        }
        shown.cancel_reason = job.cancel_reason.as_ref().map(|reason| self.message(job, reason));
        shown
    }
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.shows() { "Privacy(redactor)" } else { "Privacy(hidden)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_more_than_64_kib_is_cut_at_a_character() {
        let long = format!("a{}", "ß".repeat(Shown::LIMIT));

        let shown = Shown::text(long.clone());

        assert_eq!(shown.text.as_ref().map(String::len), Some(Shown::LIMIT - 1));
        assert_eq!(shown.note().unwrap(), "the first 64 KiB of 131,073 bytes");
        assert_eq!(Shown::text("short".to_owned()).note(), None);
    }
}
