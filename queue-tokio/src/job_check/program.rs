//! A program that is asked to check jobs: its process, its input and its output.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use queue_core::check::{CHECK_ARGUMENT, CheckAnswer, CheckFooter, CheckHeader, CheckLine as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::CheckError;

/// The process. It is killed when this is dropped.
pub(super) struct Program {
    path: PathBuf,
    process: Child,
}

impl Program {
    /// Starts a program, and waits for its first line.
    pub(super) async fn start(
        path: &Path,
        args: &[OsString],
        patience: Duration,
    ) -> Result<(Requests, Answers, Self), CheckError> {
        let mut command = Command::new(path);
        command.args(args).arg(CHECK_ARGUMENT).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let program = path.to_owned();
        let mut process =
            command.spawn().map_err(|source| CheckError::Start { program: program.clone(), source })?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(CheckError::NoAnswer { program });
        };
        let mut lines = BufReader::new(stdout).lines();
        match timeout(patience, header(&mut lines)).await {
            Ok(Some(header)) if header.is_understood() => {}
            Ok(Some(header)) => {
                let reason = format!(
                    "it was built with queue-core {}, which this checker does not understand",
                    header.queue_core
                );
                return Err(CheckError::Ended { program, reason });
            }
            Ok(None) | Err(_) => return Err(CheckError::NoAnswer { program }),
        }
        let requests = Requests { path: program.clone(), input: BufWriter::new(stdin) };
        Ok((requests, Answers { path: program.clone(), lines }, Self { path: program, process }))
    }

    /// Waits until the program has ended, and checks that it has read all requests.
    pub(super) async fn end(&mut self, sent: u64, footer: CheckFooter) -> Result<(), CheckError> {
        let ended = |reason: String| CheckError::Ended { program: self.path.clone(), reason };
        if footer.checked != sent {
            return Err(ended(format!("it has read {} of {sent} jobs", footer.checked)));
        }
        self.process.wait().await.map(drop).map_err(|error| ended(error.to_string()))
    }
}

/// Returns the first line of the answers. A program may print other lines before.
async fn header(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<CheckHeader> {
    loop {
        let line = lines.next_line().await.ok().flatten()?;
        if let Ok(header) = CheckHeader::parse(&line) {
            return Some(header);
        }
    }
}

/// The input of a program.
pub(super) struct Requests {
    path: PathBuf,
    input: BufWriter<ChildStdin>,
}

impl Requests {
    pub(super) async fn send(&mut self, line: &str) -> Result<(), CheckError> {
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.write_all(b"\n").await
        };
        sent.await.map_err(|error| self.broken(&error))
    }

    pub(super) async fn close(mut self) -> Result<(), CheckError> {
        let closed = self.input.shutdown().await;
        closed.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &std::io::Error) -> CheckError {
        CheckError::Ended { program: self.path.clone(), reason: format!("its input was closed ({error})") }
    }
}

/// The output of a program.
pub(super) struct Answers {
    path: PathBuf,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Answers {
    /// Reads all answers, and returns the footer.
    pub(super) async fn read_all(
        mut self,
        mut add: impl FnMut(CheckAnswer),
    ) -> Result<CheckFooter, CheckError> {
        let ended = |reason: String| CheckError::Ended { program: self.path.clone(), reason };
        while let Some(line) = self.lines.next_line().await.map_err(|error| ended(error.to_string()))? {
            match (CheckAnswer::parse(&line), CheckFooter::parse(&line)) {
                (Ok(answer), _) => add(answer),
                (_, Ok(footer)) => return Ok(footer),
                (Err(_), Err(_)) => return Err(ended("it printed a line that is no answer".to_owned())),
            }
        }
        Err(ended("it ended early: see what it printed to standard error".to_owned()))
    }
}
