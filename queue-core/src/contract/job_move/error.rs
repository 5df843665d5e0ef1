//! The errors of a move.

use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::id::JobId;
use crate::contract::name::QueueName;

/// The reason why a [`JobMove`](crate::admin::JobMove) could not begin, or ended early.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The queue is not paused in the first store, so its jobs could start meanwhile.
    #[error("the queue `{0}` is not paused: pause it in the store from which its jobs are moved")]
    NotPaused(QueueName),
    /// Jobs of the queue are executing, this one among them.
    #[error("{count} of the queue's jobs are executing, such as {job}: wait until their attempts end")]
    Executing {
        /// Their number.
        count: usize,
        /// One of them.
        job: JobId,
    },
    /// Both handles are of one store.
    #[error("both ends of the move are the same store")]
    SameStore,
    /// A call of the first store failed.
    #[error("the store from which jobs are moved failed")]
    Source(#[source] QueueError),
    /// A call of the other store failed.
    #[error("the store to which jobs are moved failed")]
    Target(#[source] QueueError),
}

impl MoveError {
    /// Returns the kind of this error: that of the failed call, or `Conflict` if something must be done first.
    #[must_use]
    pub fn kind(&self) -> QueueErrorKind {
        match self {
            Self::NotPaused(_) | Self::Executing { .. } => QueueErrorKind::Conflict,
            Self::SameStore => QueueErrorKind::Invalid,
            Self::Source(error) | Self::Target(error) => error.kind(),
        }
    }
}
