//! Fresh files and databases for measurements.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use tokio::sync::OnceCell;

use crate::database::Database;

/// The parent of all scratch folders, on the file system of the benchmarks.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/sites");

/// A fresh location for one system, with the number of jobs that it has to hold.
#[derive(Debug)]
pub struct Scratch {
    bound: usize,
    folder: PathBuf,
    database: OnceCell<Database>,
}

impl Scratch {
    /// Creates an empty location for `bound` jobs.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(FOLDER).join(format!("{}-{place}", std::process::id()));
        Self { bound, folder, database: OnceCell::new() }
    }

    /// Returns the number of jobs that must fit, for systems with bounds.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Returns the path of a file on a disk that does not exist yet; it is deleted with this value.
    ///
    /// # Errors
    ///
    /// The folder can't be created, or is in memory.
    pub fn file(&self) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        ensure!(!is_in_memory(&self.folder)?, "{FOLDER} is in memory: nothing would be written to a disk");
        Ok(self.folder.join("jobs.db"))
    }

    /// Returns a database. It is created at the first call, and kept until another process creates one.
    ///
    /// # Errors
    ///
    /// The run has no server, or the server can't be reached.
    pub async fn database(&self) -> anyhow::Result<&Database> {
        self.database.get_or_try_init(Database::create).await
    }

    /// Returns the database, if the system has requested one.
    pub(crate) fn served(&self) -> Option<&Database> {
        self.database.get()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A system may still write while it is dropped; the next run removes what remains.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Removes the scratch folders of killed processes.
///
/// # Errors
///
/// A folder can't be removed.
pub fn sweep() -> anyhow::Result<()> {
    fs::create_dir_all(FOLDER)?;
    fs::remove_dir_all(FOLDER)?;
    fs::create_dir_all(FOLDER)?;
    Ok(())
}

/// Returns the parent of all scratch folders.
#[must_use]
pub fn scratch_folder() -> &'static Path {
    Path::new(FOLDER)
}

/// Returns whether a folder is in memory only.
///
/// # Errors
///
/// The folder does not exist.
pub fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    Ok(statfs(folder)?.filesystem_type() == TMPFS_MAGIC)
}

/// Returns the file system and the device of a folder.
#[must_use]
pub fn filesystem(folder: &Path) -> String {
    let place = folder.canonicalize().unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    // Of the mounts that contain the folder, the innermost counts.
    let innermost =
        mounts.filter(|(_, point, _)| place.starts_with(point)).max_by_key(|(_, point, _)| point.len());
    innermost.map_or_else(
        || "an unknown file system".to_owned(),
        |(device, _, kind)| format!("{kind} on {device}"),
    )
}
