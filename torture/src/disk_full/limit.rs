//! A limit on the size of the files that a process writes, which needs no privileges.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use queue_core::BoxError;
use tokio::process::Command;

use crate::report::Report;

const BYTES: u64 = 2 << 20;

/// Fills a file in a child process, so that the limit applies to no other work.
pub(super) async fn in_a_child(folder: &Path) -> Result<Report, BoxError> {
    let status =
        Command::new(std::env::current_exe()?).arg("fill").arg("--folder").arg(folder).status().await?;
    if status.success() {
        return Ok(Report::default());
    }
    Err(format!("the process under the limit ended with {status}; its output is above").into())
}

/// Sets the limit, and makes a write beyond it fail instead of killing the process.
///
/// Threads inherit the blocked signal from the thread that starts them, so this must come before the queue starts its threads.
pub(super) fn set() -> Result<(), BoxError> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block()?;
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    Ok(setrlimit(Resource::RLIMIT_FSIZE, BYTES.min(hard), hard)?)
}

/// Raises the limit to its maximum.
pub(super) fn lift() -> Result<(), BoxError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    Ok(setrlimit(Resource::RLIMIT_FSIZE, hard, hard)?)
}
