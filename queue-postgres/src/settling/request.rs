//! What the lanes that settle are asked for.

use queue_core::encoded::Encoded;
use queue_core::{QueueError, Settled, Settlement, Transition};
use tokio::sync::oneshot;

/// Settlements that a caller waits for.
pub(crate) struct Settle {
    pub(crate) settlements: Vec<Settlement>,
    /// The followups of each, taken out of it.
    pub(crate) followups: Vec<Vec<Encoded>>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Settled>, QueueError>>,
}

/// Some of the settlements of a request, with the followups of each.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) settlements: &'a [Settlement],
    pub(crate) followups: &'a [Vec<Encoded>],
}

impl Settle {
    /// Returns the number of jobs that the request is about.
    pub(super) fn weight(&self) -> usize {
        self.settlements.len() + self.followups.iter().map(Vec::len).sum::<usize>()
    }

    pub(super) fn whole(&self) -> Part<'_> {
        Part { settlements: &self.settlements, followups: &self.followups }
    }

    pub(super) fn answer(self, answer: Result<Vec<Settled>, QueueError>) {
        // The caller may have gone.
        drop(self.reply.send(answer));
    }
}

impl Part<'_> {
    /// Returns whether jobs may become ready. Completions make none ready, unless they have followups.
    pub(super) fn makes_jobs_ready(&self) -> bool {
        let complete = |settlement: &Settlement| settlement.transition == Transition::Complete;
        !self.settlements.iter().all(complete) || self.followups.iter().any(|jobs| !jobs.is_empty())
    }

    /// Returns whether a followup has a unique key, which another transaction may hold locked.
    pub(super) fn has_keys(&self) -> bool {
        self.followups.iter().flatten().any(|job| job.job.unique.is_some() || job.is_chosen)
    }
}
