//! The size limits of every queue.

use crate::contract::error::QueueError;
use crate::contract::job::{Meta, NewJob};
use crate::contract::name::JobName;
use crate::contract::on_discard::DiscardHandler;
use crate::contract::partition::Partition;

/// The maximum sizes of names, payloads, meta and batches.
///
/// A queue checks them before it stores anything, so that all backends refuse the same jobs.
/// A typed body in memory has no size yet; it is checked when it is encoded.
///
/// ```
/// use queue_core::{Body, Limits, NewJob, QueueErrorKind};
///
/// let limits = Limits::default().payload(10);
/// let job = NewJob::new("send_mail", Body::stored("\"more than ten bytes\""));
/// assert_eq!(limits.check(&[job]).unwrap_err().kind(), QueueErrorKind::Invalid);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum size of a payload's JSON text, in bytes: 1 MiB.
    pub payload: usize,
    /// The maximum size of all meta keys and values of a job, in bytes: 16 KiB.
    pub meta: usize,
    /// The maximum number of jobs in a batch: 10,000.
    pub batch: usize,
}

impl Limits {
    /// The maximum length of a name, in characters.
    pub const NAME: usize = 128;
    /// The maximum length of a unique key, in bytes.
    pub const UNIQUE_KEY: usize = 256;
    /// The maximum length of the name of a partition, in bytes.
    pub const PARTITION: usize = 128;
    /// The maximum length of a stored error text or reason, in bytes: 8 KiB.
    pub const TEXT: usize = 8 << 10;

    /// Cuts an error text or a reason to [`TEXT`](Self::TEXT) bytes, which include a final note: `… (cut: 31,457,280 bytes)`.
    ///
    /// The cut is at a character boundary, and the note has the size of the whole text. A text within the limit is returned
    /// unchanged, so a text that was cut is not cut again.
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

    /// Sets the maximum size of a payload, in bytes.
    #[must_use]
    pub const fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// Checks a batch of new jobs.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the job's name, its index (from 0) if the batch has several jobs, the field, its size and the limit.
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

    /// Checks each job of a list, without a limit on their number.
    pub(crate) fn check_each(&self, jobs: &[NewJob]) -> Result<(), QueueError> {
        for (index, job) in jobs.iter().enumerate() {
            if let Err(breach) = self.check_job(job) {
                let text = format!("{}: {breach}", job_in_batch(index, jobs.len(), &job.name));
                let error = QueueError::invalid(text);
                let is_short = job.queue.as_str().len() <= Self::NAME;
                return Err(if is_short { error.on_queue(job.queue.clone()) } else { error });
            }
        }
        Ok(())
    }

    fn check_job(&self, job: &NewJob) -> Result<(), String> {
        check_name("name", job.name.as_str())?;
        check_name("queue", job.queue.as_str())?;
        check_partition(&job.partition)?;
        if job.max_attempts == 0 {
            return Err("`max_attempts` is 0, and must be at least 1".to_owned());
        }
        if let Some(refusal) = job.body.refusal() {
            return Err(refusal);
        }
        if let Some(bytes) = job.body.encoded_len().filter(|bytes| *bytes > self.payload) {
            return Err(format!("`payload` has {bytes} bytes, the limit is {}: {ELSEWHERE}", self.payload));
        }
        if !job.meta.is_empty() && job.meta.size() > self.meta {
            let bytes = job.meta.size();
            return Err(format!("`meta` has {bytes} bytes, the limit is {}: {ELSEWHERE}", self.meta));
        }
        if let Some(handler) = job.on_discard.as_ref().and_then(|on_discard| on_discard.handler()) {
            check_handler(handler)?;
        }
        match &job.unique {
            Some(unique) if unique.key.is_empty() => Err("`unique` has an empty key".to_owned()),
            Some(unique) if unique.key.len() > Self::UNIQUE_KEY => Err(format!(
                "`unique` has a key of {} bytes, the limit is {}: hash the key",
                unique.key.len(),
                Self::UNIQUE_KEY
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// Checks the name of a partition.
pub(crate) fn check_partition(partition: &Partition) -> Result<(), String> {
    let name = partition.as_str();
    if name.len() > Limits::PARTITION {
        return Err(format!(
            "`partition` has {} bytes, the limit is {}: shorten it",
            name.len(),
            Limits::PARTITION
        ));
    }
    match name.chars().find(|character| character.is_control()) {
        Some(control) => {
            Err(format!("`partition` has {control:?} in it; control characters are not allowed"))
        }
        None => Ok(()),
    }
}

/// Checks the job that is stored on a discard.
fn check_handler(handler: &DiscardHandler) -> Result<(), String> {
    check_name("on_discard", handler.name.as_str())?;
    check_name("on_discard.queue", handler.queue.as_str())?;
    if handler.max_attempts == 0 {
        return Err("`on_discard.max_attempts` is 0, and must be at least 1".to_owned());
    }
    let parameter = &handler.parameter;
    if parameter.is_empty() || parameter.len() > Limits::NAME || parameter.contains(char::is_control) {
        return Err(format!(
            "`on_discard.parameter` has {} bytes, and must have 1 to {} without control characters",
            parameter.len(),
            Limits::NAME
        ));
    }
    Ok(())
}

/// The remedy for data that is too large.
const ELSEWHERE: &str = "store the data elsewhere and pass a reference";

/// Returns the words for a job of a batch in errors: ``job 3 of the batch (`send`)``, or ``job `send` `` if `count` is 1.
///
/// A name of more than 64 characters is cut.
#[must_use]
pub fn job_in_batch(index: usize, count: usize, name: &JobName) -> String {
    let name = name.as_str();
    let name = match name.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    };
    if count == 1 { format!("job `{name}`") } else { format!("job {index} of the batch (`{name}`)") }
}

impl Default for Limits {
    fn default() -> Self {
        Self { payload: 1 << 20, meta: Meta::DEFAULT_LIMIT, batch: 10_000 }
    }
}

/// Formats a number with commas between its thousands.
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

/// Checks one name. The error names the field and the mistake.
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
        return Err(format!("`{field}` has {length} characters, the limit is {}: shorten it", Limits::NAME));
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
