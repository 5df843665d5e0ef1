//! The folder with all files of the application.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the application: the database, the jobs, the e-mails, the reports.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Opens a folder, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// The folder can't be created, or contains files of others.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        match marks_or_empty(&root, &[MARK, FRESH_MARK]) {
            Ok(true) => Self::make(root, MARK),
            Ok(false) => Err(DataError::Foreign { folder: root }),
            Err(source) => Err(DataError::Unusable { folder: root, source }),
        }
    }

    /// Opens an empty folder: deletes the files in it if they are from an earlier call of this function.
    ///
    /// # Errors
    ///
    /// The folder can't be created, or contains files that must be kept.
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

    /// Returns the path of the database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("stock.db")
    }

    /// Returns the path of the jobs' file, unless jobs are stored elsewhere.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs.db")
    }

    /// Returns the folder of the e-mails.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    /// Returns the folder of the reports.
    #[must_use]
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// Returns the path of the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn make(root: PathBuf, mark: &str) -> Result<Self, DataError> {
        let folder = Self { root };
        let made = fs::create_dir_all(folder.mail())
            .and_then(|()| fs::create_dir_all(folder.reports()))
            .and_then(|()| fs::write(folder.root.join(mark), "The example `stock` created this folder.\n"));
        match made {
            Ok(()) => Ok(folder),
            Err(source) => Err(DataError::Unusable { folder: folder.root, source }),
        }
    }
}

/// A file that marks a folder as created by this application.
const MARK: &str = ".stock";
/// A file that marks a folder whose content may be deleted.
const FRESH_MARK: &str = ".stock-demo";

/// Returns whether a folder is empty, is missing, or has one of the marks.
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
    /// The folder contains files that the application did not write, or must not delete.
    #[error("the folder {} contains files that must not be changed: choose another with --data FOLDER", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder can't be read or written.
    #[error("the folder {} can't be used: choose another with --data FOLDER", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}
