//! The location of a queue: a file, or the memory of this process.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use queue_core::QueueError;
use rusqlite::{Connection, OpenFlags};

/// The location that a path stands for.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    File(PathBuf),
    /// A database that the connections of one queue share. SQLite frees it when the last of them closes.
    Memory {
        uri: String,
    },
}

impl Location {
    /// The path that SQLite uses for memory.
    const MEMORY: &'static str = ":memory:";

    /// Returns the location that `path` stands for.
    pub(crate) fn from_path(path: &Path) -> Self {
        if path == Path::new(Self::MEMORY) {
            // Connections of one process share an in-memory database whose name begins with a slash.
            return Self::Memory { uri: format!("file:/queue-{:032x}?vfs=memdb", fastrand::u128(..)) };
        }
        Self::File(path.to_owned())
    }

    /// Returns the path for messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory { .. } => Path::new(Self::MEMORY),
        }
    }

    /// Returns whether the location is a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Creates the file if there is none, readable by its owner only.
    ///
    /// SQLite creates the files beside it, `-wal` and `-shm`, with the same permissions.
    ///
    /// # Errors
    ///
    /// `Invalid` if the path is empty or can't be a database file, or the file is read-only; `Unavailable` if the file can't be
    /// created.
    pub(crate) fn prepare(&self) -> Result<(), QueueError> {
        let Self::File(path) = self else { return Ok(()) };
        if path.as_os_str().is_empty() {
            return Err(QueueError::invalid("the path is empty: name a file, such as `jobs.db`"));
        }
        let shown = path.display();
        if path.is_dir() {
            return Err(QueueError::invalid(format!(
                "`{shown}` is a folder: name a file in it, such as `{}`",
                path.join("jobs.db").display()
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let text = format!("there is no folder `{}` for `{shown}`: create it first", folder.display());
            return Err(QueueError::invalid(text));
        }
        match new_file_options().open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_writable(),
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::PermissionDenied => {
                        "permission denied; check the permissions of its folder".to_owned()
                    }
                    kind => kind.to_string(),
                };
                let text = format!("`{shown}` can't be created: {why}");
                Err(QueueError::unavailable(text).with_source(error))
            }
        }
    }

    /// Checks that the file exists, and creates none.
    ///
    /// # Errors
    ///
    /// `Unavailable` if there is no such file; `Invalid` if it is read-only.
    pub(crate) fn require(&self) -> Result<(), QueueError> {
        let Self::File(path) = self else { return Ok(()) };
        if !path.is_file() {
            let text = format!("there is no file `{}`: check the path", path.display());
            return Err(QueueError::unavailable(text));
        }
        self.check_writable()
    }

    fn check_writable(&self) -> Result<(), QueueError> {
        let shown = self.path().display();
        match fs::metadata(self.path()) {
            Ok(file) if file.permissions().readonly() => Err(QueueError::invalid(format!(
                "`{shown}` is read-only, and a queue must write to it: change its permissions"
            ))),
            Ok(_) => Ok(()),
            Err(error) => {
                let text = format!("the permissions of `{shown}` can't be read: {}", error.kind());
                Err(QueueError::unavailable(text).with_source(error))
            }
        }
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match self {
            // Without the URI flag, SQLite takes every character of the path literally.
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory { uri } => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_CREATE;
                Connection::open_with_flags(uri, flags)
            }
        }
    }
}

/// Returns the options that create a file for its owner only.
fn new_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
