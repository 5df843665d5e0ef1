//! A limit on the size of the files that a process writes, which anybody may set.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use queue_core::BoxError;
use tokio::process::Command;

use crate::report::Report;

const BYTES: u64 = 2 << 20;

/// Fills a file in a process of its own, so that the limit is nobody else's.
pub(super) async fn in_a_child(folder: &Path) -> Result<Report, BoxError> {
    let status =
        Command::new(std::env::current_exe()?).arg("fill").arg("--folder").arg(folder).status().await?;
    if status.success() {
        return Ok(Report::default());
    }
    Err(format!("the process under the limit ended with {status}; what it said is above").into())
}

/// Sets the limit, and has a write beyond it fail instead of ending the process.
///
/// Threads take the blocked signal over from the one that starts them, so this comes before the queue's.
pub(super) fn set() -> Result<(), BoxError> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block()?;
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    Ok(setrlimit(Resource::RLIMIT_FSIZE, BYTES.min(hard), hard)?)
}

/// Makes room: the limit is as high again as it may be.
pub(super) fn lift() -> Result<(), BoxError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    Ok(setrlimit(Resource::RLIMIT_FSIZE, hard, hard)?)
}
