//! The journal of a process: each call before it is made, and again with its answer.
//!
//! A line is written by one `write`. So all lines of a killed process but the last are whole, and a call without an answer may
//! have taken effect or not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use queue_core::BoxError;
use serde::{Deserialize, Serialize};

use super::clocks;
use crate::history::{Event, EventKind, Span};

/// The journal of this process.
#[derive(Debug)]
pub struct Journal {
    file: File,
    calls: AtomicU64,
}

/// A call in flight.
#[derive(Debug)]
pub struct Call {
    number: u64,
    span: Span,
}

/// A line about a call. A later line about the same call replaces it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    call: u64,
    /// The events that the call stands for.
    pub events: Vec<Event>,
    /// The queue's error, if the call failed.
    pub failure: Option<String>,
}

impl Journal {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Self { file, calls: AtomicU64::new(0) })
    }

    /// Records a call that is about to be made, with the events that hold if it is never answered.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn begin(&self, kinds: impl IntoIterator<Item = EventKind>) -> Result<Call, BoxError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let span = Span::since(clocks::now()?);
        self.write(number, span, kinds, None)?;
        Ok(Call { number, span })
    }

    /// Records the answer of a call.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    #[expect(clippy::needless_pass_by_value, reason = "a call is answered once")]
    pub fn end(
        &self,
        call: Call,
        kinds: impl IntoIterator<Item = EventKind>,
        failure: Option<String>,
    ) -> Result<(), BoxError> {
        let Call { number, span } = call;
        self.write(number, span.until(clocks::now()?), kinds, failure)
    }

    fn write(
        &self,
        call: u64,
        span: Span,
        kinds: impl IntoIterator<Item = EventKind>,
        failure: Option<String>,
    ) -> Result<(), BoxError> {
        let events = kinds.into_iter().map(|kind| Event { span, kind }).collect();
        let mut line = serde_json::to_vec(&Line { call, events, failure })?;
        line.push(b'\n');
        Ok((&self.file).write_all(&line)?)
    }
}

/// Reads a journal: the last line of each call, in the order in which the calls began.
///
/// A process that was killed before it created its journal has made no call.
///
/// # Errors
///
/// If the file cannot be read, or a whole line of it is not a line of a journal.
pub fn read(path: &Path) -> Result<Vec<Line>, BoxError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    // A line without its end was cut off by a kill.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut calls = BTreeMap::new();
    for line in text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
        if !line.is_empty() {
            let line: Line = serde_json::from_slice(line)?;
            calls.insert(line.call, line);
        }
    }
    Ok(calls.into_values().collect())
}

#[cfg(test)]
mod tests {
    use queue_core::JobId;

    use super::*;
    use crate::history::{KnownOutcome, Pushed};

    fn pushed(job: u128, outcome: KnownOutcome) -> EventKind {
        EventKind::Pushed(Pushed { outcome, ..Pushed::new(JobId::from_u128(job)) })
    }

    #[test]
    fn a_process_that_died_before_its_journal_made_no_call() {
        let folder = tempfile::tempdir().unwrap();

        assert!(read(&folder.path().join("0001-producer.jsonl")).unwrap().is_empty());
    }

    #[test]
    fn an_answer_takes_the_place_of_what_was_written_before_the_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let journal = Journal::create(&path).unwrap();

        let first = journal.begin([pushed(1, KnownOutcome::Unknown)]).unwrap();
        let _second = journal.begin([pushed(2, KnownOutcome::Unknown)]).unwrap();
        journal.end(first, [pushed(1, KnownOutcome::Applied)], None).unwrap();

        let events: Vec<Event> = read(&path).unwrap().into_iter().flat_map(|line| line.events).collect();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
        assert_eq!(kinds, [pushed(1, KnownOutcome::Applied), pushed(2, KnownOutcome::Unknown)]);
        assert_eq!(events.iter().map(|event| event.span.end.is_some()).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_line_that_a_kill_cut_off_is_as_if_it_were_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let journal = Journal::create(&path).unwrap();
        let call = journal.begin([pushed(1, KnownOutcome::Unknown)]).unwrap();
        journal.end(call, [pushed(1, KnownOutcome::Applied)], None).unwrap();

        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 1]).unwrap();

        assert_eq!(read(&path).unwrap()[0].events[0].kind, pushed(1, KnownOutcome::Unknown));
    }
}
