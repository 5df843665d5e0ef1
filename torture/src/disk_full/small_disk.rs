//! A file system in memory with a few megabytes of space. Mounting it takes root.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use queue_core::BoxError;

/// Dropping it unmounts it, and loses its files.
#[derive(Debug)]
pub(super) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts it in a new folder inside `folder`, with a size in the syntax of `mount`.
    pub(super) fn mount(folder: &Path, size: &str) -> Result<Self, BoxError> {
        let folder = folder.join("disk");
        fs::create_dir_all(&folder)?;
        mount(Some("none"), &folder, Some("tmpfs"), MsFlags::empty(), Some(format!("size={size}").as_str()))?;
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies its files to another folder, since unmounting loses them.
    pub(super) fn save(&self, to: &Path) -> Result<(), BoxError> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    }

    pub(super) fn enlarge(&self) -> Result<(), BoxError> {
        Ok(mount(Some("none"), &self.folder, Some("tmpfs"), MsFlags::MS_REMOUNT, Some("size=64m"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached at once; the file system ends when the queue has closed its last file there.
        if let Err(error) = umount2(&self.folder, MntFlags::MNT_DETACH) {
            eprintln!("could not unmount {}: {error}", self.folder.display());
        }
    }
}
