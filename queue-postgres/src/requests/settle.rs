//! The requests to the settle tasks.

use queue_core::backend::{Encoded, Reply};
use queue_core::{QueueError, Settled, Settlement};

use crate::columns::SettlementSlice;
use crate::storable::bytes_of;

/// The approximate maximum of the bytes of the followups in one request.
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

    /// Returns the bytes of payloads and meta of its followups.
    pub(crate) fn bytes(&self) -> usize {
        self.followups.iter().map(|followups| bytes_of(followups)).sum()
    }

    /// Returns all its settlements.
    pub(crate) fn as_slice(&self) -> SettlementSlice<'_> {
        SettlementSlice { settlements: &self.settlements, followups: &self.followups }
    }

    pub(crate) fn answer(self, answer: Result<Vec<Settled>, QueueError>) {
        self.reply.send(answer);
    }
}

/// Splits settlements and their followups into parts, each with about 16 MiB of followups at most.
pub(crate) fn split(
    settlements: Vec<Settlement>,
    followups: Vec<Vec<Encoded>>,
) -> Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> {
    if followups.iter().all(Vec::is_empty) {
        return vec![(settlements, followups)];
    }
    let mut parts: Vec<(Vec<Settlement>, Vec<Vec<Encoded>>)> = Vec::new();
    let mut bytes = MAX_BYTES;
    for (settlement, followups) in settlements.into_iter().zip(followups) {
        if bytes >= MAX_BYTES {
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
