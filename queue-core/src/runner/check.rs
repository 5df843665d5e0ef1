//! Checks stored jobs against the jobs that a program knows, before the program is deployed.
//!
//! The program reads requests from its standard input and writes answers to its standard output, one JSON object on each line:
//!
//! | line | who writes it | content |
//! | --- | --- | --- |
//! | [`CheckHeader`] | the program, first | the jobs that it knows |
//! | [`CheckRequest`] | the checker | a stored job |
//! | [`CheckAnswer`] | the program | a job that would fail; nothing for any other |
//! | [`CheckFooter`] | the program, at the end of its input | how many requests it has read |
//!
//! `queue_tokio::answer_job_check` is the program's side, and `queue_tokio::JobCheck` the checker.

mod report;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::contract::body::Body;
use crate::contract::body::mismatch::read;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::name::JobName;
use crate::contract::record::JobRecord;
use crate::runner::registry::Jobs;

pub use report::{CheckProblem, CheckReport, CheckedName};

/// The version of the lines.
const FORM: u32 = 1;

/// The argument by which a program is asked to check jobs.
pub const CHECK_ARGUMENT: &str = "--queue-jobs";

/// The jobs that a program knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckHeader {
    /// The version of the lines.
    pub queue_jobs: u32,
    /// The version of this framework with which the program was built.
    pub queue_core: String,
    /// The kinds of jobs.
    pub jobs: Vec<KnownJob>,
}

/// A kind of job that a program knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownJob {
    /// Its name.
    pub name: String,
    /// Its former names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// A stored job to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckRequest {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// The JSON text of its payload, as a string: it may have several lines, or be no JSON at all.
    pub payload: String,
}

/// A job that would fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckAnswer {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Whether the program does not know its name. Otherwise, it cannot decode its payload.
    pub is_unknown: bool,
    /// Why it would fail, with the path in the payload. It has no value of the payload and no position.
    pub reason: String,
}

/// The end of a program's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckFooter {
    /// How many requests the program has read.
    pub checked: u64,
}

/// A line between a checker and a program.
pub trait CheckLine: Serialize + DeserializeOwned {
    /// Returns the line, without its end.
    #[must_use]
    fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// `Invalid` if the text is no such line.
    fn parse(line: &str) -> Result<Self, QueueError> {
        read(line).map_err(|error| QueueError::invalid("not a line of a check of jobs").with_source(error))
    }
}

impl CheckLine for CheckHeader {}
impl CheckLine for CheckRequest {}
impl CheckLine for CheckAnswer {}
impl CheckLine for CheckFooter {}

impl CheckHeader {
    /// Returns whether this version of the framework understands the program.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        self.queue_jobs == FORM
    }
}

impl CheckRequest {
    /// Creates the request for a stored job.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure.
    pub fn of(job: &JobRecord) -> Result<Self, QueueError> {
        Ok(Self { id: job.id, name: job.name.to_string(), payload: job.body.encode()?.to_string() })
    }
}

impl CheckFooter {
    /// Creates the footer.
    #[must_use]
    pub const fn new(checked: u64) -> Self {
        Self { checked }
    }
}

impl Jobs {
    /// Returns the first line of the answers of a program that knows these jobs.
    #[must_use]
    pub fn check_header(&self) -> CheckHeader {
        let known = |(name, aliases): (&str, &[&str])| KnownJob {
            name: name.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        };
        let mut jobs: Vec<_> = self.aliases().map(known).collect();
        jobs.sort_by(|a, b| a.name.cmp(&b.name));
        CheckHeader { queue_jobs: FORM, queue_core: env!("CARGO_PKG_VERSION").to_owned(), jobs }
    }

    /// Checks a stored job as an attempt does. Returns an answer if the attempt would fail because the name is unknown or the
    /// payload cannot be decoded.
    #[must_use]
    pub fn check_stored(&self, request: &CheckRequest) -> Option<CheckAnswer> {
        let (name, body) = (JobName::new(&request.name), Body::stored(&*request.payload));
        let (is_unknown, reason) = match self.find(&name) {
            None => (true, format!("no job has this name; {}", self.known_instead(&name))),
            Some(entry) => (false, without_position(&entry.check(&body).err()?.to_string())),
        };
        Some(CheckAnswer { id: request.id, name: request.name.clone(), is_unknown, reason })
    }
}

/// Removes the position in the text and the indexes of elements from a reason, so that equal problems have equal reasons.
fn without_position(reason: &str) -> String {
    let reason = reason.rfind(" at line ").and_then(|end| reason.get(..end)).unwrap_or(reason);
    let (mut short, mut rest) = (String::with_capacity(reason.len()), reason);
    while let Some((before, after)) = rest.split_once('[') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let is_index = digits > 0 && after.as_bytes().get(digits) == Some(&b']');
        short.push_str(before);
        short.push_str(if is_index { "[*" } else { "[" });
        rest = if is_index { after.get(digits..).unwrap_or_default() } else { after };
    }
    short.push_str(rest);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_numbers_of_elements_are_left_out() {
        let table = [
            (
                "user.id: invalid type: string, expected u64 at line 1 column 12",
                "user.id: invalid type: string, expected u64",
            ),
            ("items[17].n: missing field `n` at line 2 column 1", "items[*].n: missing field `n`"),
            ("invalid length 2, expected [u8; 3] at line 1 column 4", "invalid length 2, expected [u8; 3]"),
            ("missing field `to`", "missing field `to`"),
        ];

        for (reason, expected) in table {
            assert_eq!(without_position(reason), expected);
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let request = CheckRequest {
            id: JobId::from_u128(7),
            name: "send".to_owned(),
            payload: "{\n\"n\": 1}".to_owned(),
        };

        let line = request.line();

        assert_eq!(line.lines().count(), 1, "{line}");
        assert_eq!(CheckRequest::parse(&line).unwrap(), request);
        assert!(CheckHeader::parse(&line).is_err());
    }
}
