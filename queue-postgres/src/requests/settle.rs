//! The requests to the settle tasks.

use queue_core::backend::{Encoded, Reply};
use queue_core::{QueueError, Settled, Settlement};

use crate::columns::SettlementSlice;
use crate::storable::bytes_of;

/// The approximate maximum of the bytes of the results and followups in one request.
const MAX_BYTES: usize = 16 << 20;

/// The settlements of one call, or a part of them, and its caller.
pub(crate) struct SettleRequest {
    pub(crate) settlements: Vec<Settlement>,
    /// The followups of each settlement, which were taken out of it.
    pub(crate) followups: Vec<Vec<Encoded>>,
    pub(crate) reply: Reply<Vec<Settled>>,
}

impl SettleRequest {
    /// Returns the number of settled jobs and followups in the request.
    pub(crate) fn weight(&self) -> usize {
        self.settlements.len() + self.followups.iter().map(Vec::len).sum::<usize>()
    }

    /// Returns the bytes of its results, and of payloads and meta of its followups.
    pub(crate) fn bytes(&self) -> usize {
        let results = self.settlements.iter().map(bytes_of_result).sum::<usize>();
        results + self.followups.iter().map(bytes_of).sum::<usize>()
    }

    /// Returns all its settlements.
    pub(crate) fn as_slice(&self) -> SettlementSlice<'_> {
        SettlementSlice { settlements: &self.settlements, followups: &self.followups }
    }

    pub(crate) fn answer(self, answer: Result<Vec<Settled>, QueueError>) {
        self.reply.send(answer);
    }
}

/// Splits settlements and their followups into parts, each with about 16 MiB of results and followups at most.
pub(crate) fn split(
    settlements: Vec<Settlement>,
    followups: Vec<Vec<Encoded>>,
) -> Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> {
    if followups.iter().all(Vec::is_empty) && settlements.iter().all(|one| one.transition.result().is_none())
    {
        return vec![(settlements, followups)];
    }
    let mut parts: Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> = Vec::new();
    let mut bytes = MAX_BYTES;
    for (settlement, followups) in settlements.into_iter().zip(followups) {
        if bytes >= MAX_BYTES {
            parts.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes += bytes_of_result(&settlement) + bytes_of(&followups);
        if let Some((settlements, all)) = parts.last_mut() {
            settlements.push(settlement);
            all.push(followups);
        }
    }
    parts
}

fn bytes_of_result(settlement: &Settlement) -> usize {
    settlement.transition.result().map_or(0, |result| result.as_str().len())
}
