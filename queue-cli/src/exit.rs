//! The end of a verb: its exit code, and the error that it prints.

use std::io;
use std::process::ExitCode;

use console::style;
use queue_core::backend::error_chain;
use queue_core::{QueueError, QueueErrorKind};
use serde::Serialize;

/// The exit code of a verb. `docs/cli.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exit {
    /// The verb did what it was asked for.
    Done = 0,
    /// The answer is no: the operator declined, a job failed, a wait timed out, or a check found a problem.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// There is no such job, queue or name.
    NotFound = 3,
    /// The state of the job does not allow it.
    Conflict = 4,
    /// The store cannot be reached.
    Unavailable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// Adds the remedy.
    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().or(self.help);
        self
    }

    /// Puts the place of the error before the message.
    pub(crate) fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Prints the failure to standard error, and returns the exit code.
    pub(crate) fn report(self, is_json: bool) -> ExitCode {
        if self.exit == Exit::Done {
            return self.exit.into();
        }
        let mut stderr = io::stderr().lock();
        // A failure of standard error cannot be reported.
        drop(if is_json { self.write_json(&mut stderr) } else { self.write_text(&mut stderr) });
        self.exit.into()
    }

    fn write_json(&self, to: &mut impl io::Write) -> io::Result<()> {
        let object = serde_json::json!({ "error": self.message, "exit": self.exit, "help": self.help });
        writeln!(to, "{object}")
    }

    fn write_text(&self, to: &mut impl io::Write) -> io::Result<()> {
        writeln!(to, "{} {}", style("error:").for_stderr().red().bold(), self.message)?;
        match &self.help {
            Some(help) => writeln!(to, "{} {help}", style("help:").for_stderr().bold()),
            None => Ok(()),
        }
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        let exit = match error.kind() {
            QueueErrorKind::Invalid => Exit::Usage,
            QueueErrorKind::NotFound => Exit::NotFound,
            QueueErrorKind::Conflict => Exit::Conflict,
            QueueErrorKind::Full | QueueErrorKind::Closed | QueueErrorKind::Unavailable => Exit::Unavailable,
            _ => Exit::Refused,
        };
        Self::new(exit, error_chain(&error))
    }
}

/// If the reader closes the pipe, as `head` does, that is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Done, ""),
            _ => Self::new(Exit::Refused, format!("the output can't be written: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_the_documented_exit_code() {
        let table = [
            (QueueErrorKind::Invalid, 2),
            (QueueErrorKind::NotFound, 3),
            (QueueErrorKind::Conflict, 4),
            (QueueErrorKind::Unavailable, 5),
            (QueueErrorKind::Full, 5),
            (QueueErrorKind::Unsupported, 1),
            (QueueErrorKind::Corrupt, 1),
        ];
        for (kind, code) in table {
            let failure = Failure::from(QueueError::new(kind, "no"));
            assert_eq!(failure.exit as u8, code, "{kind}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));

        assert_eq!(failure.exit, Exit::Done);
    }
}
