//! An operation that is a closure, with the channel for its answer.

use queue_core::QueueError;
use queue_core::backend::Reply;

use super::message::Operation;
use crate::error::{OpError, TxError, writer_gone};
use crate::table::Table;

/// A closure that runs in a transaction. `answer` keeps its result until the commit.
pub(super) struct ClosureOperation<F, T> {
    pub(super) weight: usize,
    pub(super) is_exclusive: bool,
    pub(super) work: Option<F>,
    pub(super) answer: Option<Result<T, QueueError>>,
    pub(super) reply: Reply<T>,
}

impl<F, T> Operation for ClosureOperation<F, T>
where
    F: FnOnce(&mut Table<'_>) -> Result<T, OpError> + Send,
    T: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn is_exclusive(&self) -> bool {
        self.is_exclusive
    }

    fn run(&mut self, table: &mut Table<'_>) -> Result<(), TxError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.answer = Some(match work(table) {
            Ok(answer) => Ok(answer),
            Err(OpError::Refused(error)) => Err(error),
            Err(OpError::Database(error)) => return Err(error.into()),
            Err(OpError::TransactionLost(why)) => return Err(TxError::TransactionLost(why)),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<QueueError>) {
        let answer = match failed {
            Some(error) => Err(error),
            None => self.answer.unwrap_or_else(|| Err(writer_gone())),
        };
        self.reply.send(answer);
    }
}
