//! A file system in memory with room for a few megabytes; to mount one takes root.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use queue_core::BoxError;

/// It's unmounted when this is dropped; what it held is gone then.
#[derive(Debug)]
pub(super) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts it in a folder of its own inside `folder`, with a size as `mount` takes it.
    pub(super) fn mount(folder: &Path, size: &str) -> Result<Self, BoxError> {
        let folder = folder.join("disk");
        fs::create_dir_all(&folder)?;
        mount(Some("none"), &folder, Some("tmpfs"), MsFlags::empty(), Some(format!("size={size}").as_str()))?;
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies its files to another folder, since they go with it.
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
        // Detached at once, and gone when the queue that may still have files open there has closed them.
        if let Err(error) = umount2(&self.folder, MntFlags::MNT_DETACH) {
            eprintln!("could not unmount {}: {error}", self.folder.display());
        }
    }
}
