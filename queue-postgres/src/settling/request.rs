//! The requests to the settle tasks.

use queue_core::backend::Encoded;
use queue_core::{QueueError, Settled, Settlement, Transition};
use tokio::sync::oneshot;

use super::MOST_BYTES;
use crate::batch::bytes_of;

/// The settlements of one call, and its caller.
pub(crate) struct Settle {
    pub(crate) settlements: Vec<Settlement>,
    /// The followups of each settlement, which were taken out of it.
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
    /// Returns the number of settled jobs and followups in the request.
    pub(super) fn weight(&self) -> usize {
        self.settlements.len() + self.followups.iter().map(Vec::len).sum::<usize>()
    }

    /// Returns the bytes of payloads and meta of its followups.
    pub(super) fn bytes(&self) -> usize {
        self.followups.iter().map(|followups| bytes_of(followups)).sum()
    }

    pub(super) fn whole(&self) -> Part<'_> {
        Part { settlements: &self.settlements, followups: &self.followups }
    }

    pub(super) fn answer(self, answer: Result<Vec<Settled>, QueueError>) {
        // The caller may have been dropped.
        drop(self.reply.send(answer));
    }
}

/// Splits settlements and their followups into requests, each with about 16 MiB of followups at most.
pub(crate) fn parts_of(
    settlements: Vec<Settlement>,
    followups: Vec<Vec<Encoded>>,
) -> Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> {
    if followups.iter().all(Vec::is_empty) {
        return vec![(settlements, followups)];
    }
    let mut parts: Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> = Vec::new();
    let mut bytes = MOST_BYTES;
    for (settlement, followups) in settlements.into_iter().zip(followups) {
        if bytes >= MOST_BYTES {
            parts.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes += bytes_of(&followups);
        if let Some((settlements, all)) = parts.last_mut() {
            settlements.push(settlement);
            all.push(followups);
        }
    }
    parts
}

impl Part<'_> {
    /// Returns whether settling may make jobs ready. Completions without followups make none ready.
    pub(super) fn makes_jobs_ready(&self) -> bool {
        let complete = |settlement: &Settlement| settlement.transition == Transition::Complete;
        !self.settlements.iter().all(complete) || self.followups.iter().any(|jobs| !jobs.is_empty())
    }

    /// Returns whether a followup has a unique key or a chosen id, which another transaction may have locked.
    pub(super) fn has_keys(&self) -> bool {
        self.followups.iter().flatten().any(|job| job.job.unique.is_some() || job.is_chosen)
    }
}
