//! The checks that PostgreSQL can store a request, and the errors of requests that it can't.

use queue_core::backend::{self, Encoded};
use queue_core::{Limits, QueueError};

/// Upper bound for the bytes of payloads and meta in one batch, or in the followups of one job: 256 MiB. The server refuses
/// values of 1 GiB, and holds several copies of each value while it stores it.
const MAX_BYTES: usize = 256 << 20;

/// Returns the number of bytes of payloads and meta of these jobs.
pub(crate) fn bytes_of<'a>(jobs: impl IntoIterator<Item = &'a Encoded>) -> usize {
    jobs.into_iter().map(|job| job.payload.len() + job.meta.as_ref().map_or(0, String::len)).sum()
}

/// Returns an error if the server cannot store the batch or one of its unique keys.
pub(crate) fn check_storable<'a>(
    jobs: impl IntoIterator<Item = &'a Encoded, IntoIter: ExactSizeIterator + Clone>,
) -> Result<(), QueueError> {
    let jobs = jobs.into_iter();
    let count = jobs.len();
    let bytes = bytes_of(jobs.clone());
    if bytes > MAX_BYTES {
        return Err(QueueError::invalid(format!(
            "the batch has {bytes} bytes of payloads and meta, and PostgreSQL takes {MAX_BYTES} at once: push it in parts"
        )));
    }
    for (index, Encoded { job, .. }) in jobs.enumerate() {
        if job.unique.as_ref().is_some_and(|unique| unique.key.contains('\0')) {
            let text = format!(
                "{}: `unique` has a key with a NUL character, which PostgreSQL can't store: remove it or hash the key",
                backend::job_in_batch(index, count, &job.name)
            );
            return Err(QueueError::invalid(text).on_queue(job.queue.clone()));
        }
    }
    Ok(())
}

/// Returns the error for the job at `index` of a request, whose delay exceeds the range of times.
pub(crate) fn delay_overflow(jobs: &[Encoded], index: usize) -> QueueError {
    match jobs.get(index) {
        Some(new) => backend::delay_overflow(index, jobs.len(), &new.job),
        None => QueueError::invalid("a `delay` leads past the end of time"),
    }
}

/// Returns an error or a reason as it is stored: `\u{2192}` stands for a character that the database may lack.
pub(crate) fn storable_text(text: &str, ascii_only: bool) -> String {
    let text = replace_nul(text);
    if !ascii_only {
        return Limits::cut(text);
    }
    let escaped =
        text.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() });
    let cut = Limits::cut(escaped.collect());
    // The mark that `Limits::cut` appends is not ASCII.
    cut.replace('\u{2026}', "...")
}

/// Returns a result as it is stored: `\u2192` stands for a character that the database may lack, which is the same value.
pub(crate) fn storable_json(json: &str, ascii_only: bool) -> String {
    if !ascii_only || json.is_ascii() {
        return json.to_owned();
    }
    let mut units = [0; 2];
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
        text
    })
}

/// Returns the text with NUL characters replaced, which the server cannot store.
fn replace_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_in_ascii_is_the_same_value() {
        let result = r#"{"→":"🦀 ü","n":1}"#;

        let stored = storable_json(result, true);

        assert_eq!(stored, r#"{"\u2192":"\ud83e\udd80 \u00fc","n":1}"#);
        assert_eq!(storable_json(result, false), result);
    }
}
