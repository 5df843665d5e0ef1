//! Errors of SQLite, and of the files, as errors of the contract.

use std::path::Path;
use std::sync::Arc;

use queue_core::{QueueError, QueueErrorKind};
use rusqlite::ErrorCode;

use crate::files::FileReplaced;

/// Why one operation in a transaction failed.
#[derive(Debug)]
pub(crate) enum OpError {
    /// The request was refused before it wrote anything. The rest of the transaction continues.
    Refused(QueueError),
    /// The database failed, so the whole transaction fails.
    Database(rusqlite::Error),
    /// The operation ended the transaction, for this reason.
    TransactionLost(&'static str),
}

impl From<QueueError> for OpError {
    fn from(error: QueueError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for OpError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Why a transaction failed. All calls that shared it receive this error.
#[derive(Clone, Debug)]
pub(crate) enum TxError {
    Database(Arc<rusqlite::Error>),
    TransactionLost(&'static str),
    /// A file was removed, or its name leads to another file.
    FilesReplaced,
}

impl TxError {
    /// Returns the error for one caller.
    pub(crate) fn to_queue_error(&self, path: &Path) -> QueueError {
        match self {
            Self::Database(error) => describe(error, path),
            Self::TransactionLost(why) => QueueError::unavailable(*why),
            Self::FilesReplaced => {
                let path = path.display();
                QueueError::unavailable(format!(
                    "`{path}`, or a file beside it, was removed or replaced while this queue had it open, and other \
                     programs would not find jobs that are stored now: put the files back, or open the queue again"
                ))
            }
        }
    }

    /// Returns whether another connection held the lock.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if is_busy(error))
    }
}

impl From<FileReplaced> for TxError {
    fn from(FileReplaced: FileReplaced) -> Self {
        Self::FilesReplaced
    }
}

impl From<rusqlite::Error> for TxError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Returns an error that says what is wrong with the file and what to do about it.
fn describe(error: &Arc<rusqlite::Error>, path: &Path) -> QueueError {
    let path = path.display();
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            QueueErrorKind::Unavailable,
            format!(
                "`{path}` is locked: another connection has held its write lock for too long, or has written since \
                 this transaction began to read; keep transactions short, and begin those that write as immediate"
            ),
        ),
        Some(ErrorCode::TooBig) => (
            QueueErrorKind::Invalid,
            "a text is larger than SQLite can store, which is a billion bytes at most".to_owned(),
        ),
        Some(ErrorCode::DiskFull) => (
            QueueErrorKind::Unavailable,
            format!(
                "the disk is full and `{path}` can't grow: free some space, and the queue continues by itself"
            ),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            QueueErrorKind::Corrupt,
            format!(
                "`{path}` is corrupt or not an SQLite database: restore it from a backup, or move it away to start \
                 with an empty queue"
            ),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            QueueErrorKind::Unavailable,
            format!("`{path}` can't be written: check the permissions of the file and of its folder"),
        ),
        Some(ErrorCode::CannotOpen) => (
            QueueErrorKind::Unavailable,
            format!("`{path}` can't be opened: check that its folder exists, and the permissions of both"),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            QueueErrorKind::Unavailable,
            format!("the disk failed, or has no space left for `{path}`: check the cause"),
        ),
        Some(
            ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::SchemaChanged
            | ErrorCode::ConstraintViolation,
        ) => (
            QueueErrorKind::Unavailable,
            format!("temporary SQLite error on `{path}`: retry, and check the cause if it persists"),
        ),
        // Our statements fit our schema, so another program must have changed it.
        Some(_) | None => (
            QueueErrorKind::Corrupt,
            format!("`{path}` does not contain what this program stored: check the cause"),
        ),
    };
    QueueError::new(kind, message).with_source(error.clone())
}

/// Returns whether another connection holds the lock that was requested.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Returns the error of every call after the writer thread has ended.
pub(crate) fn writer_gone() -> QueueError {
    QueueError::unavailable("the queue's writer thread has ended: open the queue again")
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_value_that_is_too_large_for_sqlite_is_invalid() {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None);

        let described = TxError::from(error).to_queue_error(Path::new("jobs.db"));

        assert_eq!(described.kind(), QueueErrorKind::Invalid);
        assert!(described.to_string().contains("billion bytes"), "{described}");
    }
}
