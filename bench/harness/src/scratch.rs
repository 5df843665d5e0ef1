//! Where a system is set up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use tokio::sync::OnceCell;

use crate::database::Database;

/// All sites are below this folder, which is on the file system that the benchmarks lie on.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/sites");

/// A fresh place for one system, and how much it is to hold.
#[derive(Debug)]
pub struct Scratch {
    bound: usize,
    folder: PathBuf,
    database: OnceCell<Database>,
}

impl Scratch {
    /// Finds a place where nothing is yet, for so many jobs.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(FOLDER).join(format!("{}-{place}", std::process::id()));
        Self { bound, folder, database: OnceCell::new() }
    }

    /// Tells how many jobs there must be room for, if a system has bounds.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Gives a file that doesn't exist yet, on a disk; it's gone with the site.
    ///
    /// # Errors
    ///
    /// The folder can't be made, or lies in memory.
    pub fn file(&self) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        ensure!(!is_in_memory(&self.folder)?, "{FOLDER} is in memory: nothing would be written to a disk");
        Ok(self.folder.join("jobs.db"))
    }

    /// Gives a database that is made when it's first asked for, and stays until another process makes one.
    ///
    /// # Errors
    ///
    /// The run has no server, or it can't be reached.
    pub async fn database(&self) -> anyhow::Result<&Database> {
        self.database.get_or_try_init(Database::create).await
    }

    /// Gives the database, if the system has asked for one.
    pub(crate) fn served(&self) -> Option<&Database> {
        self.database.get()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A system may still write while it's torn down: what is left then is swept by the next run.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Removes what is left of sites whose process was killed.
///
/// # Errors
///
/// Something can't be removed.
pub fn sweep() -> anyhow::Result<()> {
    fs::create_dir_all(FOLDER)?;
    fs::remove_dir_all(FOLDER)?;
    fs::create_dir_all(FOLDER)?;
    Ok(())
}

/// Names the folder that all sites with files are below.
#[must_use]
pub fn scratch_folder() -> &'static Path {
    Path::new(FOLDER)
}

/// Tells whether what is written to a folder is written to memory alone.
///
/// # Errors
///
/// There is no such folder.
pub fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    Ok(statfs(folder)?.filesystem_type() == TMPFS_MAGIC)
}

/// Names the file system and the device that a folder is on.
#[must_use]
pub fn filesystem(folder: &Path) -> String {
    let place = folder.canonicalize().unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    // Of the mounts that hold the place, the innermost counts.
    let innermost =
        mounts.filter(|(_, point, _)| place.starts_with(point)).max_by_key(|(_, point, _)| point.len());
    innermost.map_or_else(
        || "an unknown file system".to_owned(),
        |(device, _, kind)| format!("{kind} on {device}"),
    )
}
