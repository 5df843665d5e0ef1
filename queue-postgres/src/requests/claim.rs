//! The messages to the claim task.

use queue_core::backend::Handover;
use queue_core::{Demand, QueueError, Timestamp};
use tokio::sync::oneshot;

pub(crate) enum ClaimMessage {
    /// Claims jobs as soon as there are any.
    Claim(WaitingClaim),
    /// There may be jobs for waiting claims.
    Wake,
    /// Runs a full scan at once, which also makes due jobs available, and answers after it.
    PollNow(oneshot::Sender<()>),
    /// The stop signal of a claim has fired: the claim task answers such claims with no jobs.
    Stop,
    /// Answers waiting and later claims with `Closed`.
    Close,
}

/// A claim that waits for jobs.
pub(crate) struct WaitingClaim {
    pub(crate) demand: Demand,
    /// When the wait is over, by the server's clock. Set by the first scan for the claim.
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) reply: oneshot::Sender<Result<Handover, QueueError>>,
}

impl WaitingClaim {
    pub(crate) fn answer(self, answer: Result<Handover, QueueError>) {
        // The caller may have been dropped; the returned handover then releases its jobs.
        drop(self.reply.send(answer));
    }
}
