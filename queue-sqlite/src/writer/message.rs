//! The messages to the writer.

use futures_util::future::BoxFuture;
use queue_core::backend::Handover;
use queue_core::{Demand, QueueError};
use tokio::sync::oneshot;

use crate::error::TxError;
use crate::table::Table;

/// A message from a caller.
pub(crate) enum Message {
    /// Runs an operation in the next transaction.
    Run(Box<dyn Operation>),
    /// Claims jobs as soon as there are any.
    Claim(WaitingClaim),
    /// Polls now for jobs of other processes, and answers when that is done.
    PollNow(oneshot::Sender<()>),
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

/// A claim that waits for jobs.
pub(crate) struct WaitingClaim {
    pub(crate) demand: Demand,
    /// Completes when the wait ends; `None` if it has ended, or never does.
    pub(crate) deadline: Option<BoxFuture<'static, ()>>,
    /// Whether the wait has ended.
    pub(crate) timed_out: bool,
    pub(crate) reply: oneshot::Sender<Result<Handover, QueueError>>,
}

impl WaitingClaim {
    /// Sends the answer to the caller.
    pub(crate) fn answer(self, answer: Result<Handover, QueueError>) {
        // The caller may have dropped its future. Then the handover is dropped here, and releases its jobs.
        drop(self.reply.send(answer));
    }
}
