//! The answer to one call, from the task or thread that carries out the call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::contract::error::QueueError;

/// Sends the answer to one call, once. The caller awaits it as an [`Answer`].
///
/// A message to the task or thread that carries out the call owns the reply. If the message is dropped, since that task or
/// thread has ended, the call fails.
///
/// ```
/// use queue_core::QueueError;
/// use queue_core::backend::Reply;
///
/// let ended = || QueueError::unavailable("the writer has ended");
/// let (reply, answer) = Reply::new(ended);
/// reply.send(Ok(7));
///
/// let (unsent, failure) = Reply::<u32>::new(ended);
/// drop(unsent);
/// # queue_testkit::block_on(async {
/// assert_eq!(answer.await.unwrap(), 7);
/// assert!(failure.await.is_err());
/// # });
/// ```
pub struct Reply<T>(oneshot::Sender<Result<T, QueueError>>);

impl<T> Reply<T> {
    /// Creates a reply and the answer of its caller. `ended` returns the error of a call whose reply is dropped.
    pub fn new(ended: fn() -> QueueError) -> (Self, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        (Self(reply), Answer { answer, ended })
    }

    /// Returns whether the caller has dropped its future, so that the answer would be lost.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sends the answer. If the caller has dropped its future, the answer is dropped here.
    pub fn send(self, answer: Result<T, QueueError>) {
        drop(self.0.send(answer));
    }
}

/// Waits for the answer to a call. Fails if the [`Reply`] is dropped unsent.
///
/// # Cancel safety
///
/// If this is dropped, the call goes on, and its answer is dropped.
#[must_use = "a future does nothing until it is awaited"]
pub struct Answer<T> {
    answer: oneshot::Receiver<Result<T, QueueError>>,
    ended: fn() -> QueueError,
}

impl<T> Future for Answer<T> {
    type Output = Result<T, QueueError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(answer.unwrap_or_else(|_| Err((self.ended)())))
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_closed", &self.is_closed()).finish()
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::QueueErrorKind;

    fn ended() -> QueueError {
        QueueError::unavailable("the backend has ended")
    }

    #[test]
    fn an_answer_waits_for_the_reply() {
        let (reply, mut answer) = Reply::new(ended);
        assert!((&mut answer).now_or_never().is_none());

        reply.send(Ok(7));

        assert_eq!(answer.now_or_never().and_then(Result::ok), Some(7));
    }

    #[test]
    fn a_call_whose_reply_is_dropped_fails() {
        let (reply, answer) = Reply::<()>::new(ended);

        drop(reply);

        let error = answer.now_or_never().and_then(Result::err);
        assert_eq!(error.map(|error| error.kind()), Some(QueueErrorKind::Unavailable));
    }

    #[test]
    fn a_reply_to_a_dropped_call_is_closed_and_drops_the_answer() {
        let (reply, answer) = Reply::new(ended);
        let sent = std::sync::Arc::new(());
        drop(answer);

        assert!(reply.is_closed());
        reply.send(Ok(sent.clone()));

        assert_eq!(std::sync::Arc::strong_count(&sent), 1);
    }
}
