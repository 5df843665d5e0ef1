//! The task for settlements that another transaction blocks: an application has pushed the unique key of a followup in a
//! transaction that is still open, or an operator's transaction has locked the job itself.
//!
//! The task settles as many settlements of each request as it can, and answers [`Blocked`](Settled::Blocked) for the
//! others. See [`settling`](super) for who wakes whom and for the shutdown.

use std::sync::Arc;

use queue_core::{QueueError, Settled};
use tokio::sync::mpsc::UnboundedReceiver;

use super::request::{Part, Settle};
use super::{Settling, mark};
use crate::batch::past_the_end;
use crate::server::Server;

/// The number of blocked settlements of one request, each tried alone, after which the others are answered `Blocked`
/// without a try: the caller waits until all are answered.
const MOST_HELD_UP: usize = 16;

/// Settles requests one by one over its own connection.
pub(crate) struct CarefulSettler {
    requests: UnboundedReceiver<Settle>,
    settling: Settling,
}

impl CarefulSettler {
    pub(crate) fn new(requests: UnboundedReceiver<Settle>, server: Arc<Server>) -> Self {
        Self { requests, settling: Settling::new(server) }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(settle) = self.requests.recv().await {
            let settled = self.settle(&settle).await;
            settle.answer(settled);
        }
    }

    /// Settles the settlements whose followups have no keys together. Then it settles each of the others alone, in an
    /// order that differs from call to call, until [`MOST_HELD_UP`] of these were blocked.
    async fn settle(&mut self, settle: &Settle) -> Result<Vec<Settled>, QueueError> {
        let mut settled = vec![Settled::Stale; settle.settlements.len()];
        let parts = settle.settlements.iter().zip(&settle.followups).map(|(settlement, followups)| Part {
            settlements: std::slice::from_ref(settlement),
            followups: std::slice::from_ref(followups),
        });
        let (mut keyed, plain): (Vec<_>, Vec<_>) = parts.enumerate().partition(|(_, part)| part.has_keys());
        let (places, parts): (Vec<usize>, Vec<Part<'_>>) = plain.into_iter().unzip();
        if !parts.is_empty() {
            self.settle_parts(&places, &parts, &mut settled).await?;
        }
        fastrand::shuffle(&mut keyed);
        let mut held_up = 0;
        for (place, part) in keyed {
            if held_up < MOST_HELD_UP {
                self.settle_parts(&[place], &[part], &mut settled).await?;
            } else if let Some(settled) = settled.get_mut(place) {
                *settled = Settled::Blocked;
            }
            held_up += usize::from(settled.get(place) == Some(&Settled::Blocked));
        }
        Ok(settled)
    }

    /// Settles these parts, each of which is one settlement, and sets the answers at their indexes in `settled`.
    async fn settle_parts(
        &mut self,
        places: &[usize],
        parts: &[Part<'_>],
        settled: &mut [Settled],
    ) -> Result<(), QueueError> {
        let followups = || parts.iter().flat_map(|part| part.followups).flatten();
        let mut answers = vec![Settled::Stale; parts.len()];
        match self.settling.ask(parts, true).await {
            Ok(ends) => {
                if let Some(place) = ends.refused {
                    let followups: Vec<_> = followups().cloned().collect();
                    return Err(past_the_end(&followups, usize::try_from(place).unwrap_or(0)));
                }
                self.settling.server.blocked.remove(followups());
                mark(&mut answers, &ends.applied, Settled::Applied);
                mark(&mut answers, &ends.blocked, Settled::Blocked);
            }
            Err(unanswered) if unanswered.is_blocked => {
                self.settling.server.blocked.add(followups());
                answers.fill(Settled::Blocked);
            }
            Err(unanswered) => return Err(unanswered.error),
        }
        for (place, answer) in places.iter().zip(answers) {
            if let Some(settled) = settled.get_mut(*place) {
                *settled = answer;
            }
        }
        Ok(())
    }
}
