//! What goes wrong with the file, in the words of the contract.

use std::path::Path;
use std::sync::Arc;

use queue_core::{QueueError, QueueErrorKind};
use rusqlite::ErrorCode;

use crate::files::Moved;

/// Why an operation on the table did not come to its end.
#[derive(Debug)]
pub(crate) enum OpError {
    /// The request was refused before anything was written; what else is in the transaction goes on.
    Refused(QueueError),
    /// The database failed, and the whole transaction with it.
    Database(rusqlite::Error),
    /// The transaction is gone, for this reason.
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

/// What ended a transaction, for all who had a part in it.
#[derive(Clone, Debug)]
pub(crate) enum TxError {
    Database(Arc<rusqlite::Error>),
    TransactionLost(&'static str),
    /// The file is no longer the one that its name leads to.
    FilesMoved,
}

impl TxError {
    /// Says it to one of them.
    pub(crate) fn to_queue_error(&self, path: &Path) -> QueueError {
        match self {
            Self::Database(error) => describe(error, path),
            Self::TransactionLost(why) => QueueError::unavailable(*why),
            Self::FilesMoved => {
                let path = path.display();
                QueueError::unavailable(format!(
                    "`{path}`, or a file beside it, was removed or replaced while this queue had it open: what is \
                     stored goes to a file that nobody finds any more; put the files back, or open the queue anew"
                ))
            }
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if is_busy(error))
    }
}

impl From<Moved> for TxError {
    fn from(Moved: Moved) -> Self {
        Self::FilesMoved
    }
}

impl From<rusqlite::Error> for TxError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Says what is wrong with the file, and what to do about it.
pub(crate) fn describe(error: &Arc<rusqlite::Error>, path: &Path) -> QueueError {
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
                "the disk is full: `{path}` can't grow; free some space, and the queue goes on by itself"
            ),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            QueueErrorKind::Corrupt,
            format!(
                "`{path}` is corrupt, or no SQLite database: restore it from a backup, or move it away to start anew"
            ),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            QueueErrorKind::Unavailable,
            format!("`{path}` can't be written: see the permissions of the file and of its folder"),
        ),
        Some(ErrorCode::CannotOpen) => (
            QueueErrorKind::Unavailable,
            format!("`{path}` can't be opened: see that its folder exists, and the permissions of both"),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            QueueErrorKind::Unavailable,
            format!("the disk failed, or has no room for `{path}`: see the cause"),
        ),
        Some(
            ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::SchemaChanged
            | ErrorCode::ConstraintViolation,
        ) => (
            QueueErrorKind::Unavailable,
            format!("`{path}` could not be worked with this time: see the cause; the same call may succeed"),
        ),
        // Our statements are right for our schema, so what they don't find was changed by somebody else.
        Some(_) | None => (
            QueueErrorKind::Corrupt,
            format!("`{path}` doesn't hold what this program stored there: see the cause"),
        ),
    };
    QueueError::new(kind, message).with_source(error.clone())
}

/// Tells whether another connection holds the lock that was asked for.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What every call answers once the writer's thread is gone.
pub(crate) fn writer_gone() -> QueueError {
    QueueError::unavailable("the queue's writer thread has ended: open the queue anew")
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_is_too_big_to_be_stored_is_invalid() {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None);

        let explained = TxError::from(error).to_queue_error(Path::new("jobs.db"));

        assert_eq!(explained.kind(), QueueErrorKind::Invalid);
        assert!(explained.to_string().contains("billion bytes"), "{explained}");
    }
}
