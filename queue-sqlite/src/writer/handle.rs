//! The handle by which callers send messages to the writer.

use std::fmt;
use std::future::Future;

use queue_core::backend::{Handover, PendingClaim, Reply};
use queue_core::{Demand, QueueError};
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender};

use super::closure::ClosureOperation;
use super::deadline::Deadline;
use super::message::Message;
use crate::error::{OpError, writer_gone};
use crate::process::Process;
use crate::table::Table;

/// Sends messages to the writer, whose thread ends after the last handle was dropped.
///
/// The queue has one handle. The writer makes others for deliveries that are being handed over.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    messages: UnboundedSender<Message>,
    process: Process,
}

/// A handle that does not keep the thread alive.
pub(super) struct WeakHandle {
    messages: WeakUnboundedSender<Message>,
    process: Process,
}

impl WriterHandle {
    pub(super) fn new(messages: UnboundedSender<Message>) -> Self {
        Self { messages, process: Process::current() }
    }

    pub(super) fn downgrade(&self) -> WeakHandle {
        WeakHandle { messages: self.messages.downgrade(), process: self.process }
    }

    /// Runs `work` in the next transaction. Returns its result after the commit.
    ///
    /// The message is sent when this is called; the future only waits for the answer.
    pub(crate) fn call<T, W>(
        &self,
        weight: usize,
        work: W,
    ) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Table<'_>) -> Result<T, OpError> + Send + 'static,
    {
        self.send(weight, false, work)
    }

    /// Runs `work` in a transaction of its own, because it may break the commit. Returns its result after the commit.
    pub(crate) fn call_exclusive<T, W>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Table<'_>) -> Result<T, OpError> + Send + 'static,
    {
        self.send(1, true, work)
    }

    fn send<T, W>(
        &self,
        weight: usize,
        is_exclusive: bool,
        work: W,
    ) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Table<'_>) -> Result<T, OpError> + Send + 'static,
    {
        let (reply, answer) = Reply::new(writer_gone);
        let operation = ClosureOperation { weight, is_exclusive, work: Some(work), answer: None, reply };
        let checked = self.process.check();
        if checked.is_ok() {
            // After the writer has ended, the reply is dropped with the operation, and the answer is an error.
            drop(self.messages.send(Message::Run(Box::new(operation))));
        }
        async move {
            checked?;
            answer.await
        }
    }

    /// Claims jobs, and waits for them until `deadline`.
    pub(crate) async fn claim(&self, demand: Demand, deadline: Deadline) -> Result<Handover, QueueError> {
        self.process.check()?;
        let (claim, answer) = PendingClaim::new(demand, deadline, writer_gone);
        // After the writer has ended, the claim is dropped here, and the answer is an error.
        drop(self.messages.send(Message::Claim(claim)));
        answer.await
    }

    /// Asks the writer to poll now, and waits until it has served the claims that wait.
    pub(crate) async fn poll_now(&self) {
        let (reply, answer) = Reply::new(writer_gone);
        if self.process.check().is_ok() {
            drop(self.messages.send(Message::PollNow(reply)));
            // After the writer has ended there is nothing to wait for.
            drop(answer.await);
        }
    }

    /// Asks the writer to poll more often for a short time.
    pub(crate) fn poll_faster(&self) {
        // After the writer has ended, no claim waits.
        drop(self.messages.send(Message::PollFaster));
    }

    /// Asks the writer to answer all claims as closed, those that wait and those that follow.
    pub(crate) fn close(&self) {
        // After the writer has ended, no claim waits.
        drop(self.messages.send(Message::Close));
    }
}

impl WeakHandle {
    pub(super) fn upgrade(&self) -> Option<WriterHandle> {
        let messages = self.messages.upgrade()?;
        Some(WriterHandle { messages, process: self.process })
    }
}

impl fmt::Debug for WriterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriterHandle(..)")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use queue_core::QueueErrorKind;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn calls_in_a_forked_process_fail_at_once() {
        // As in a forked process, the channel is open and no thread receives.
        let (messages, _receiver) = unbounded_channel();
        let forked = WriterHandle { messages, process: Process::other() };

        let called = forked.call(1, |_| Ok(())).now_or_never().expect("an answer at once");
        let demand = Demand::new("default", 1);
        let claimed = forked.claim(demand, Deadline::Passed).now_or_never().expect("an answer at once");
        forked.poll_now().now_or_never().expect("an answer at once");

        for error in [called.err(), claimed.map(drop).err()] {
            let error = error.expect("an error");
            assert_eq!(error.kind(), QueueErrorKind::Unavailable);
            assert!(error.to_string().contains("open the queue in this process"), "{error}");
        }
    }
}
