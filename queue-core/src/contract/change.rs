//! A change to many jobs.

use crate::contract::error::QueueError;

/// A change that an operator makes to jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Cancels a waiting job, and asks an executing one to stop: see [`Admin::cancel`](crate::Admin::cancel).
    Cancel {
        /// The reason of the cancellation.
        reason: String,
    },
    /// Returns a finished or waiting job to the available state now: see [`Admin::retry`](crate::Admin::retry).
    Retry,
    /// Deletes a job that is not executing: see [`Admin::delete`](crate::Admin::delete).
    Delete,
}

impl Change {
    /// Returns the error of a backend that was written before this change existed.
    #[must_use]
    pub fn unsupported(&self) -> QueueError {
        QueueError::unsupported(format!(
            "this queue does not support {self:?} for many jobs: change the jobs one by one, or update the backend"
        ))
    }
}
