//! What the lane that claims is asked for.

use queue_core::handover::Handover;
use queue_core::{Demand, QueueError, Timestamp};
use tokio::sync::oneshot;

pub(crate) enum Message {
    /// Jobs, as soon as there are any.
    Claim(Claim),
    /// There may be jobs for those who wait.
    Wake,
    /// To look at once for jobs and for what has become due, and to say so.
    Look(oneshot::Sender<()>),
    /// The stop signal of a claim has fired: such claims are answered with nothing.
    Stop,
    /// To end the claims that wait, and those that come.
    Close,
}

/// A claim that waits for jobs.
pub(crate) struct Claim {
    pub(crate) demand: Demand,
    /// When its wait is over by the server's clock; known once it was looked for jobs the first time.
    pub(crate) over: Option<Timestamp>,
    pub(crate) reply: oneshot::Sender<Result<Handover, QueueError>>,
}

impl Claim {
    pub(crate) fn answer(self, answer: Result<Handover, QueueError>) {
        // Whoever asked may have gone; a handover that comes back releases what is in it.
        drop(self.reply.send(answer));
    }
}
