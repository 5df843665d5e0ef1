//! What the writer is asked for.

use futures_util::future::BoxFuture;
use queue_core::handover::Handover;
use queue_core::{Demand, QueueError};
use tokio::sync::oneshot;

use crate::error::TxError;
use crate::table::Table;

pub(crate) enum Message {
    /// Something to be done in the next transaction.
    Run(Box<dyn Operation>),
    /// Jobs, as soon as there are any.
    Claim(WaitingClaim),
    /// To look at once for what others have stored.
    PollNow(oneshot::Sender<()>),
    /// To look more often for a while: somebody is about to commit.
    PollFaster,
    /// To end the claims that wait, and those that come.
    Close,
}

/// Something to be done in a transaction that it may share with others.
pub(crate) trait Operation: Send {
    /// How many jobs it's about.
    fn weight(&self) -> usize;

    /// Tells whether it must share its transaction with no other, since it may break the commit of it.
    fn is_exclusive(&self) -> bool;

    /// Does it, and keeps its answer.
    ///
    /// # Errors
    ///
    /// The database's own: then the transaction is over. A refusal is an answer.
    fn run(&mut self, table: &mut Table<'_>) -> Result<(), TxError>;

    /// Sends the answer: its own after the commit, or why there was none.
    fn answer(self: Box<Self>, failed: Option<QueueError>);
}

/// A claim that waits for jobs.
pub(crate) struct WaitingClaim {
    pub(crate) demand: Demand,
    /// Ends the wait, if it has an end that is still to come.
    pub(crate) deadline: Option<BoxFuture<'static, ()>>,
    pub(crate) timed_out: bool,
    pub(crate) reply: oneshot::Sender<Result<Handover, QueueError>>,
}

impl WaitingClaim {
    pub(crate) fn answer(self, answer: Result<Handover, QueueError>) {
        // Whoever asked may have gone; a handover that comes back releases what is in it.
        drop(self.reply.send(answer));
    }
}
