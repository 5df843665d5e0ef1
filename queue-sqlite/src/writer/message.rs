//! The messages to the writer.

use queue_core::QueueError;
use queue_core::backend::{PendingClaim, Reply};

use super::deadline::Deadline;
use crate::error::TxError;
use crate::table::Table;

/// A message from a caller.
pub(crate) enum Message {
    /// Runs an operation in the next transaction.
    Run(Box<dyn Operation>),
    /// Claims jobs as soon as there are any.
    Claim(PendingClaim<Deadline>),
    /// Polls now for jobs of other processes, and answers when that is done.
    PollNow(Reply<()>),
    /// Polls more often for a short time, since an application's transaction with a push is about to commit.
    PollFaster,
    /// Answers all claims as closed, from now on.
    Close,
}

/// An operation that runs in a transaction.
pub(crate) trait Operation: Send {
    /// Returns the number of jobs that it concerns.
    fn weight(&self) -> usize;

    /// Returns whether it needs a transaction of its own, because it may break the commit.
    fn is_exclusive(&self) -> bool;

    /// Runs the operation and keeps its result.
    ///
    /// # Errors
    ///
    /// An error of the database, after which the transaction must be rolled back. A refused request is a result.
    fn run(&mut self, table: &mut Table<'_>) -> Result<(), TxError>;

    /// Sends the result after the commit, or the error if there was no commit.
    fn answer(self: Box<Self>, failed: Option<QueueError>);
}
