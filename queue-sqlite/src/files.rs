//! The files that an open queue writes to, and whether they are still those that their names lead to.
//!
//! An open file stays usable after its name was removed or given to another file. Jobs stored in it then are lost to every
//! program that opens the name. SQLite does not detect that. So the queue checks the files after each commit, before it
//! answers: three calls of `statx`, which take some microseconds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::location::Location;

/// Names of files, each with the identity of the file that had the name when the queue was opened.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<(PathBuf, Identity)>);

/// A file was removed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileReplaced;

/// The identity of a file, independent of its name: device and inode.
type Identity = (u64, u64);

impl Files {
    /// Returns the files that a connection to `location` has open. The connection must have read before.
    ///
    /// The result is empty in memory, and on systems other than Unix, which do not let programs remove an open file.
    pub(crate) fn opened_from(location: &Location) -> Self {
        let Location::File(path) = location else { return Self::default() };
        // The program may change its working directory later, so the path is made absolute. If it is a link, SQLite names
        // the other files after the target.
        let Ok(path) = std::path::absolute(path) else { return Self::default() };
        let Ok(real) = fs::canonicalize(&path) else { return Self::default() };
        let beside = ["-wal", "-shm"].map(|suffix| {
            let mut name = real.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        });
        let known = [path].into_iter().chain(beside);
        Self(known.filter_map(|path| identity(&path).map(|identity| (path, identity))).collect())
    }

    /// Checks that each name still leads to the same file.
    ///
    /// # Errors
    ///
    /// `FileReplaced` if a file was removed or replaced.
    pub(crate) fn check(&self) -> Result<(), FileReplaced> {
        let is_there = |(path, known): &(PathBuf, Identity)| identity(path) == Some(*known);
        if self.0.iter().all(is_there) { Ok(()) } else { Err(FileReplaced) }
    }
}

/// Returns the identity of the file with this name, and reads no other attribute of it.
///
/// Since Linux 6.13, a call that reads a file's times, as `std::fs::metadata` does, makes the next write store new times
/// (multigrain timestamps). Each `fsync` of the log then writes the inode too, which made streams of jobs one seventh slower.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn identity(path: &Path) -> Option<Identity> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(file) => Some((makedev(file.stx_dev_major, file.stx_dev_minor), file.stx_ino)),
        // The kernel or a sandbox does not offer this call.
        Err(_) => metadata_identity(path),
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn identity(path: &Path) -> Option<Identity> {
    metadata_identity(path)
}

#[cfg(unix)]
fn metadata_identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn statx_and_metadata_return_the_same_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        assert_eq!(identity(&path), None);
        fs::write(&path, "").expect("a file");

        assert!(identity(&path).is_some());
        assert_eq!(identity(&path), metadata_identity(&path));
    }
}
