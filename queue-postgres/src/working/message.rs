//! What the lane of workers is asked for.

use std::collections::HashSet;

use queue_core::encoded::Encoded;
use queue_core::handover::Handover;
use queue_core::{Demand, Lease, QueueError, Settled, Settlement, Timestamp};
use tokio::sync::oneshot;

pub(crate) enum Message {
    /// Attempts that have ended.
    Settle(Settle),
    /// Jobs, as soon as there are any.
    Claim(Claim),
    /// There may be jobs for those who wait.
    Wake,
    /// To look at once for jobs and for what has become due, and to say so.
    Look(oneshot::Sender<()>),
    /// To end the claims that wait, and those that come.
    Close,
}

/// Settlements that somebody waits for.
pub(crate) struct Settle {
    pub(crate) settlements: Vec<Settlement>,
    /// The followups of each, taken out of it.
    pub(crate) followups: Vec<Vec<Encoded>>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Settled>, QueueError>>,
}

/// A claim that waits for jobs.
pub(crate) struct Claim {
    pub(crate) demand: Demand,
    /// When its wait is over by the server's clock; known once it was looked for jobs the first time.
    pub(crate) over: Option<Timestamp>,
    pub(crate) reply: oneshot::Sender<Result<Handover, QueueError>>,
}

impl Message {
    /// How many jobs it's about.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Settle(settle) => {
                settle.settlements.len() + settle.followups.iter().map(Vec::len).sum::<usize>()
            }
            Self::Claim(claim) => claim.demand.max.min(1_000),
            Self::Wake | Self::Look(_) | Self::Close => 0,
        }
    }
}

/// Tells of each lease whether it's the first time that it's named: the second settlement of one is stale in any case.
pub(crate) fn firsts<'a>(leases: impl Iterator<Item = &'a Lease>) -> Vec<bool> {
    let mut seen = HashSet::new();
    leases.map(|lease| seen.insert((lease.job, lease.fence))).collect()
}

impl Claim {
    pub(crate) fn answer(self, answer: Result<Handover, QueueError>) {
        // Whoever asked may have gone; a handover that comes back releases what is in it.
        drop(self.reply.send(answer));
    }
}
