//! Where a queue lives: a file, or the memory of this process.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use queue_core::QueueError;
use rusqlite::{Connection, OpenFlags};

/// What a path that was given stands for.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    File(PathBuf),
    /// A database that the connections of one queue share, and that is gone with the last of them.
    Memory {
        uri: String,
    },
}

impl Location {
    /// The path that means memory, as everywhere in SQLite.
    const MEMORY: &'static str = ":memory:";

    pub(crate) fn from_path(path: &Path) -> Self {
        if path == Path::new(Self::MEMORY) {
            // A name that begins with a slash is shared by the connections of a process which know it.
            return Self::Memory { uri: format!("file:/queue-{:032x}?vfs=memdb", fastrand::u128(..)) };
        }
        Self::File(path.to_owned())
    }

    /// What to call it in messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory { .. } => Path::new(Self::MEMORY),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Refuses what can't be a database file, and makes a file that only its owner can read where there is none.
    ///
    /// The files beside it, `-wal` and `-shm`, are made by SQLite with the same permissions.
    pub(crate) fn prepare(&self) -> Result<(), QueueError> {
        let Self::File(path) = self else { return Ok(()) };
        let shown = path.display();
        if path.is_dir() {
            return Err(QueueError::invalid(format!(
                "`{shown}` is a folder: name a file in it, such as `{}`",
                path.join("jobs.db").display()
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let text = format!("there is no folder `{}` for `{shown}`: make it first", folder.display());
            return Err(QueueError::invalid(text));
        }
        match private().open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_writable(),
            Err(error) => {
                let text = format!("`{shown}` can't be made: see the permissions of its folder");
                Err(QueueError::unavailable(text).with_source(error))
            }
        }
    }

    fn check_writable(&self) -> Result<(), QueueError> {
        let shown = self.path().display();
        match fs::metadata(self.path()) {
            Ok(file) if file.permissions().readonly() => Err(QueueError::invalid(format!(
                "`{shown}` is read-only, and a queue has to write to it: change its permissions"
            ))),
            Ok(_) => Ok(()),
            Err(error) => {
                Err(QueueError::unavailable(format!("`{shown}` can't be looked at")).with_source(error))
            }
        }
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match self {
            // The path is no URI, so that every character of it is itself.
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory { uri } => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_CREATE;
                Connection::open_with_flags(uri, flags)
            }
        }
    }
}

/// How a new file is made.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
