//! The task for settlements that another transaction blocks: an application has pushed the unique key of a followup in a
//! transaction that is still open, or an operator's transaction has locked the job itself.
//!
//! The task settles as many settlements of each request as it can, and answers [`Blocked`](Settled::Blocked) for the
//! others. See [the settle task](super) for who wakes whom and for the shutdown.

use std::sync::Arc;

use queue_core::{QueueError, Settled};
use tokio::sync::mpsc::UnboundedReceiver;

use super::connection::SettleConnection;
use crate::columns::SettlementSlice;
use crate::requests::SettleRequest;
use crate::shared::Shared;
use crate::storable::delay_overflow;

/// The number of blocked settlements of one request, each tried alone, after which the others are answered `Blocked`
/// without a try: the caller waits until all are answered.
const MAX_BLOCKED: usize = 16;

/// Settles requests one by one over its own connection.
pub(crate) struct BlockedSettleTask {
    requests: UnboundedReceiver<SettleRequest>,
    connection: SettleConnection,
}

impl BlockedSettleTask {
    pub(crate) fn new(requests: UnboundedReceiver<SettleRequest>, shared: Arc<Shared>) -> Self {
        Self { requests, connection: SettleConnection::new(shared) }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            let settled = self.settle(&request).await;
            request.answer(settled);
        }
    }

    /// Settles the settlements whose followups have no keys together. Then it settles each of the others alone, in an
    /// order that differs from call to call, until [`MAX_BLOCKED`] of these were blocked.
    async fn settle(&mut self, request: &SettleRequest) -> Result<Vec<Settled>, QueueError> {
        let mut settled = vec![Settled::Stale; request.settlements.len()];
        let slices = request.settlements.iter().zip(&request.followups).map(|(settlement, followups)| {
            SettlementSlice {
                settlements: std::slice::from_ref(settlement),
                followups: std::slice::from_ref(followups),
            }
        });
        let (mut keyed, plain): (Vec<_>, Vec<_>) =
            slices.enumerate().partition(|(_, slice)| slice.has_keys());
        let (indexes, slices): (Vec<usize>, Vec<SettlementSlice<'_>>) = plain.into_iter().unzip();
        if !slices.is_empty() {
            self.settle_slices(&indexes, &slices, &mut settled).await?;
        }
        fastrand::shuffle(&mut keyed);
        let mut blocked = 0;
        for (index, slice) in keyed {
            if blocked < MAX_BLOCKED {
                self.settle_slices(&[index], &[slice], &mut settled).await?;
            } else if let Some(settled) = settled.get_mut(index) {
                *settled = Settled::Blocked;
            }
            blocked += usize::from(settled.get(index) == Some(&Settled::Blocked));
        }
        Ok(settled)
    }

    /// Settles these slices, each of which is one settlement, and sets the answers at their indexes in `settled`.
    async fn settle_slices(
        &mut self,
        indexes: &[usize],
        slices: &[SettlementSlice<'_>],
        settled: &mut [Settled],
    ) -> Result<(), QueueError> {
        let followups = || slices.iter().flat_map(|slice| slice.followups).flatten();
        let answers = match self.connection.settle(slices, true).await {
            Ok(outcome) => {
                if let Some(index) = outcome.delay_overflow {
                    let followups: Vec<_> = followups().cloned().collect();
                    return Err(delay_overflow(&followups, usize::try_from(index).unwrap_or(0)));
                }
                self.connection.shared.locked_keys.remove(followups());
                outcome.answers(slices.len())
            }
            Err(failed) if failed.is_blocked => {
                self.connection.shared.locked_keys.add(followups());
                vec![Settled::Blocked; slices.len()]
            }
            Err(failed) => return Err(failed.error),
        };
        for (index, answer) in indexes.iter().zip(answers) {
            if let Some(settled) = settled.get_mut(*index) {
                *settled = answer;
            }
        }
        Ok(())
    }
}
