//! The folder that everything the application writes is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder of ours: the database, the jobs, the e-mails, the reports.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Opens a folder, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// It can't be made, or somebody else's files are in it.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        match marks_or_empty(&root, &[MARK, FRESH_MARK]) {
            Ok(true) => Self::make(root, MARK),
            Ok(false) => Err(DataError::Foreign { folder: root }),
            Err(source) => Err(DataError::Unusable { folder: root, source }),
        }
    }

    /// Opens a folder without anything of an earlier run: it empties one that was opened in this way before.
    ///
    /// # Errors
    ///
    /// It can't be made, or there are files in it that are to be kept.
    pub fn open_fresh(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        match marks_or_empty(&root, &[FRESH_MARK]).and_then(|is_ours| {
            if is_ours && root.exists() { fs::remove_dir_all(&root).map(|()| true) } else { Ok(is_ours) }
        }) {
            Ok(true) => Self::make(root, FRESH_MARK),
            Ok(false) => Err(DataError::Foreign { folder: root }),
            Err(source) => Err(DataError::Unusable { folder: root, source }),
        }
    }

    /// Tells where the database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("stock.db")
    }

    /// Tells where jobs are kept, unless elsewhere.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs.db")
    }

    /// Tells where e-mails go.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    /// Tells where reports go.
    #[must_use]
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// Tells where all of it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn make(root: PathBuf, mark: &str) -> Result<Self, DataError> {
        let folder = Self { root };
        let made = fs::create_dir_all(folder.mail())
            .and_then(|()| fs::create_dir_all(folder.reports()))
            .and_then(|()| fs::write(folder.root.join(mark), "The example `stock` made this folder.\n"));
        match made {
            Ok(()) => Ok(folder),
            Err(source) => Err(DataError::Unusable { folder: folder.root, source }),
        }
    }
}

/// A file by which a folder is known to be ours.
const MARK: &str = ".stock";
/// A file by which a folder is known to hold nothing that anybody wants to keep.
const FRESH_MARK: &str = ".stock-demo";

/// Tells whether a folder is empty, missing, or has one of the marks.
fn marks_or_empty(root: &Path, marks: &[&str]) -> io::Result<bool> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none() || marks.iter().any(|mark| root.join(mark).exists())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It holds what this application didn't write, or would have to empty and may not.
    #[error("the folder {} holds files that are not to be touched: choose another with --data FOLDER", folder.display())]
    Foreign {
        /// Which folder.
        folder: PathBuf,
    },
    /// It can't be read or written.
    #[error("the folder {} can't be used: choose another with --data FOLDER", folder.display())]
    Unusable {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
