//! The folder of the files that the service reads and writes.

use std::io;
use std::path::{Path, PathBuf};

/// A folder with rendered invoices and files to import.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<String> {
        std::fs::read_to_string(self.0.join(name))
    }

    /// Writes a file. A reader finds all of it or none, wherever the program crashes.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let unfinished = self.0.join(format!("{name}.new"));
        std::fs::write(&unfinished, text)?;
        std::fs::rename(unfinished, self.0.join(name))
    }
}
