//! A disk that fills up, and later has free space again.

mod filling;
mod limit;
#[cfg(target_os = "linux")]
mod small_disk;

use std::path::Path;

use queue_core::BoxError;
use test_servers::Postgres;

use crate::queue::Location;
use crate::report::Report;
use crate::settings::{Fill, Torture};

/// Fills a small disk, or a file up to a limit if no disk can be mounted, and checks that the queue continues afterwards.
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
    match small_disk::SmallDisk::mount(folder, "4m") {
        Ok(disk) if !torture.no_mount => {
            let report = Report::default().row("disk", "a small one, made larger");
            let ended =
                filling::run(&Location::File(disk.folder().join("jobs.db")), || disk.enlarge(), report).await;
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

/// Fills a small disk on which a server keeps the database, and checks that the queue continues afterwards.
#[cfg(target_os = "linux")]
pub(crate) async fn run_on_a_server(torture: &Torture, server: &Postgres) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-disk-full-").tempdir()?;
    // The server runs as another user, who must be able to enter the folder.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let disk = match small_disk::SmallDisk::mount(folder.path(), "24m") {
        Ok(disk) if !torture.no_mount => disk,
        Ok(_) | Err(_) => {
            let report = Report::default().row("disk", "none: mounting one takes root");
            return Ok(report.row("verdict", "not run"));
        }
    };
    server.chown_to_user(disk.folder())?;
    let location = Location::small_database(server, disk.folder()).await?;
    let report = Report::default().row("disk", "a small one, made larger");
    filling::run(&location, || disk.enlarge(), report).await
}

/// Skips the scenario: a server's disk can be made small on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) async fn run_on_a_server(_: &Torture, _: &Postgres) -> Result<Report, BoxError> {
    let report = Report::default().row("disk", "none: mounting one takes Linux");
    Ok(report.row("verdict", "not run"))
}

/// Fills a file in a child process, because the limit on file sizes applies to the whole process.
pub(crate) async fn run_under_limit(fill: &Fill) -> Result<(), BoxError> {
    limit::set()?;
    let report = Report::default().row("disk", "a limit on the size of files, raised");
    print!("{}", filling::run(&Location::File(fill.folder.join("jobs.db")), limit::lift, report).await?);
    Ok(())
}
