//! The files that an open queue writes to, which must stay where they were opened.
//!
//! An open file stays usable after its name was removed, or was given to another file; then what is stored in it is found
//! by nobody who opens the name. SQLite doesn't notice that, so it's looked after each commit, before the answer: a look
//! is three calls of `statx`, some microseconds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::location::Location;

/// Names of files, each with the file that had this name when the queue was opened.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<(PathBuf, Identity)>);

/// A file has been removed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved;

/// The identity of a file, whatever its name: device and inode.
type Identity = (u64, u64);

impl Files {
    /// Takes down which files a connection has open that has just read from a place.
    ///
    /// A database in memory has no files, and only Unix lets somebody remove a file that is open.
    pub(crate) fn opened_from(location: &Location) -> Self {
        let Location::File(path) = location else { return Self::default() };
        // The program may go to another folder later; and SQLite names the files beside the one that a link leads to.
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
    /// One was removed or replaced.
    pub(crate) fn check(&self) -> Result<(), Moved> {
        let is_there = |(path, known): &(PathBuf, Identity)| identity(path) == Some(*known);
        if self.0.iter().all(is_there) { Ok(()) } else { Err(Moved) }
    }
}

/// Returns the identity of the file that has this name, and asks the kernel for nothing else.
///
/// Since Linux 6.13, a call that asks for a file's times, as `std::fs::metadata` does, makes the next write store new ones
/// (multigrain timestamps). Then each `fsync` of the log writes the inode too, which made streams of jobs a seventh slower.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn identity(path: &Path) -> Option<Identity> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(file) => Some((makedev(file.stx_dev_major, file.stx_dev_minor), file.stx_ino)),
        // A kernel or a sandbox without this call.
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
    fn both_ways_to_ask_name_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        assert_eq!(identity(&path), None);
        fs::write(&path, "").expect("a file");

        assert!(identity(&path).is_some());
        assert_eq!(identity(&path), metadata_identity(&path));
    }
}
