//! The messages to the claim task.

use queue_core::Timestamp;
use queue_core::backend::{PendingClaim, Reply};

pub(crate) enum ClaimMessage {
    /// Claims jobs as soon as there are any.
    Claim(WaitingClaim),
    /// There may be jobs for waiting claims.
    Wake,
    /// Runs a full scan at once, which also makes due jobs available, and answers after it.
    PollNow(Reply<()>),
    /// The stop signal of a claim has fired: the claim task answers such claims with no jobs.
    Stop,
    /// Answers waiting and later claims with `Closed`.
    Close,
}

/// A claim that waits for jobs. The end of its wait is a time by the server's clock, which the first scan for the claim sets.
pub(crate) type WaitingClaim = PendingClaim<Option<Timestamp>>;
