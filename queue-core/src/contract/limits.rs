//! The sizes that every queue keeps to.

use crate::contract::error::QueueError;
use crate::contract::job::NewJob;

/// How large names, payloads, meta and batches may be.
///
/// Checked before any backend is asked, so that all of them refuse the same.
/// A typed body in memory has no size yet; it's checked where it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a payload's JSON text: 1 MiB.
    pub payload: usize,
    /// Bytes of all meta keys and values of a job: 16 KiB.
    pub meta: usize,
    /// Jobs in a batch: 10,000.
    pub batch: usize,
}

impl Limits {
    /// The longest name, in characters.
    pub const NAME: usize = 128;
    /// The longest unique key, in bytes.
    pub const UNIQUE_KEY: usize = 256;
    /// The most bytes that are kept of an error's text or of a reason: 8 KiB.
    pub const TEXT: usize = 8 << 10;

    /// Cuts an error's text or a reason to [`TEXT`](Self::TEXT) bytes, the note `… (cut: 31,457,280 bytes)` at its end included.
    ///
    /// The cut is at a character boundary, and the note has the size of the whole. A text within the limit is returned as it is,
    /// so a text that was cut is not cut again.
    #[must_use]
    pub fn cut(mut text: String) -> String {
        if text.len() <= Self::TEXT {
            return text;
        }
        let note = format!("… (cut: {} bytes)", grouped(text.len()));
        text.truncate(text.floor_char_boundary(Self::TEXT - note.len()));
        text.push_str(&note);
        text.shrink_to_fit();
        text
    }

    /// Allows payloads of this many bytes instead of 1 MiB.
    #[must_use]
    pub const fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// Checks a batch of new jobs.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the job's place in the batch (from 0), the field, its size and the limit.
    pub fn check(&self, jobs: &[NewJob]) -> Result<(), QueueError> {
        self.check_batch(jobs)?;
        self.check_each(jobs)
    }

    /// Checks the number of jobs in a batch.
    pub(crate) fn check_batch(&self, jobs: &[NewJob]) -> Result<(), QueueError> {
        if jobs.len() > self.batch {
            return Err(QueueError::invalid(format!(
                "the batch has {} jobs, the limit is {}: push it in parts",
                jobs.len(),
                self.batch
            )));
        }
        Ok(())
    }

    /// Checks each job of a list, whatever their number.
    pub(crate) fn check_each(&self, jobs: &[NewJob]) -> Result<(), QueueError> {
        for (index, job) in jobs.iter().enumerate() {
            if let Err(breach) = self.check_job(job) {
                return Err(QueueError::invalid(format!(
                    "job {index} of the batch (`{}`): {breach}",
                    job.name
                ))
                .on_queue(job.queue.clone()));
            }
        }
        Ok(())
    }

    fn check_job(&self, job: &NewJob) -> Result<(), String> {
        check_name("name", job.name.as_str())?;
        check_name("queue", job.queue.as_str())?;
        if job.max_attempts == 0 {
            return Err("`max_attempts` is 0, the least is 1".to_owned());
        }
        if let Some(refusal) = job.body.refusal() {
            return Err(refusal);
        }
        if let Some(bytes) = job.body.encoded_len().filter(|bytes| *bytes > self.payload) {
            return Err(format!("`payload` has {bytes} bytes, the limit is {}", self.payload));
        }
        if !job.meta.is_empty() && job.meta.size() > self.meta {
            return Err(format!("`meta` has {} bytes, the limit is {}", job.meta.size(), self.meta));
        }
        match &job.unique {
            Some(unique) if unique.key.is_empty() => Err("`unique` has an empty key".to_owned()),
            Some(unique) if unique.key.len() > Self::UNIQUE_KEY => Err(format!(
                "`unique` has a key of {} bytes, the limit is {}",
                unique.key.len(),
                Self::UNIQUE_KEY
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { payload: 1 << 20, meta: 16 << 10, batch: 10_000 }
    }
}

/// Writes a number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Checks one name; the error names the field and what is wrong.
fn check_name(field: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("`{field}` is empty"));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if name.len() <= Limits::NAME && name.bytes().all(fits) {
        return Ok(());
    }
    let length = name.chars().count();
    if length > Limits::NAME {
        return Err(format!("`{field}` has {length} characters, the limit is {}", Limits::NAME));
    }
    match name.chars().find(|c| !(c.is_ascii() && fits(*c as u8))) {
        Some(stranger) => Err(format!("`{field}` has {stranger:?} in it; allowed are `A-Z a-z 0-9 _ . : -`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_with_a_note_of_its_size() {
        for character in ["a", "ü", "→", "🦀"] {
            let whole = character.repeat(Limits::TEXT + 1);

            let cut = Limits::cut(whole.clone());

            let note = format!("… (cut: {} bytes)", grouped(whole.len()));
            let start = cut.strip_suffix(&note).unwrap_or_else(|| panic!("no note at the end of {cut}"));
            assert!(whole.starts_with(start));
            assert!(cut.len() <= Limits::TEXT && cut.len() > Limits::TEXT - 4, "{} bytes", cut.len());
            assert_eq!(Limits::cut(cut.clone()), cut, "a text is cut once");
        }
    }

    #[test]
    fn numbers_are_written_with_commas() {
        let table = [(7, "7"), (999, "999"), (8_192, "8,192"), (31_457_280, "31,457,280")];

        for (number, written) in table {
            assert_eq!(grouped(number), written);
        }
    }
}
