//! A disk that fills up, and has room again later.

mod filling;
mod limit;
#[cfg(target_os = "linux")]
mod small_disk;

use std::path::Path;

use queue_core::BoxError;

use crate::report::Report;
use crate::settings::{Fill, Torture};

/// Fills a small disk, or a file up to a limit where no disk may be mounted, and goes on once there is room.
pub(crate) async fn run(torture: &Torture) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-disk-full-").tempdir()?;
    let ended = fill(torture, folder.path()).await;
    if torture.keep || ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

#[cfg(target_os = "linux")]
async fn fill(torture: &Torture, folder: &Path) -> Result<Report, BoxError> {
    match small_disk::SmallDisk::mount(folder) {
        Ok(disk) if !torture.no_mount => {
            let report = Report::default().row("disk", "a small one, made larger");
            let ended = filling::run(disk.folder(), || disk.enlarge(), report).await;
            if torture.keep || ended.is_err() {
                disk.save(folder)?;
            }
            ended
        }
        Ok(_) | Err(_) => limit::in_a_child(folder).await,
    }
}

#[cfg(not(target_os = "linux"))]
async fn fill(_: &Torture, folder: &Path) -> Result<Report, BoxError> {
    limit::in_a_child(folder).await
}

/// What the child does: its limit is on the files that it writes, so it has it to itself.
pub(crate) async fn run_under_limit(fill: &Fill) -> Result<(), BoxError> {
    limit::set()?;
    let report = Report::default().row("disk", "a limit on the size of files, raised");
    print!("{}", filling::run(&fill.folder, limit::lift, report).await?);
    Ok(())
}
