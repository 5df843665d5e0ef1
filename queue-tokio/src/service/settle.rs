//! The settling: one task, which takes along whatever has gathered since it last went.

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Event, QueueError, Settled, Settlement, Transition};

use super::ended::Ended;
use super::run::give_way;
use super::shift::Shift;
use super::trouble::Trouble;

/// The time within which a settlement is answered. After that it is repeated.
const ANSWER: Duration = Duration::from_secs(60);

/// How many batches are settled before others have the thread, if nothing has to be waited for.
const BATCHES_A_TURN: u32 = 16;

impl Shift {
    /// Settles attempts as they end, until the loop is over and nothing is left.
    ///
    /// A result waits while the one before is on its way, and as the [`EndedAttempts`](super::ended::EndedAttempts) say.
    pub(super) async fn settle_all(&self) {
        let mut trouble = Trouble::with(&self.settings.name, "settle", 1);
        let mut batch = Vec::new();
        let mut turn = 0;
        loop {
            if batch.is_empty() {
                tokio::select! {
                    biased;
                    () = self.ended.rung() => {}
                    () = self.over.cancelled() => return,
                }
            }
            self.ended.take_into(&mut batch);
            self.let_go_of_recorded(&mut batch);
            if batch.is_empty() {
                continue;
            }
            let answer = tokio::select! {
                biased;
                answer = self.settle(&batch) => answer,
                () = self.over.cancelled() => return,
            };
            match answer {
                Ok(settled) => {
                    trouble.worked(&self.environment);
                    self.let_go(&mut batch, settled);
                    // A queue in memory never waits, and the next may have rung already.
                    turn = (turn + 1) % BATCHES_A_TURN;
                    if turn == 0 {
                        give_way().await;
                    }
                }
                Err(error) if error.is_transient() => {
                    batch.iter().for_each(|ended| ended.held.repeat_settlement());
                    let wait = trouble.failed(&error, &self.environment);
                    tokio::select! {
                        biased;
                        () = self.runtime.sleep(wait) => {}
                        // Nobody waits for these any more: their leases expire.
                        () = self.over.cancelled() => return,
                    }
                }
                Err(error) => batch = self.settle_singly(batch, &error).await,
            }
        }
    }

    /// Lets go of jobs whose units of work have recorded how they ended.
    fn let_go_of_recorded(&self, batch: &mut Vec<Ended>) {
        if batch.iter().any(|ended| ended.is_recorded) {
            let mut recorded: Vec<_> = batch.extract_if(.., |ended| ended.is_recorded).collect();
            let settled = vec![Settled::Applied; recorded.len()];
            self.let_go(&mut recorded, settled);
        }
    }

    pub(super) async fn settle(&self, batch: &[Ended]) -> Result<Vec<Settled>, QueueError> {
        let settlements = batch.iter().map(|ended| ended.settlement.clone()).collect();
        tokio::select! {
            biased;
            answer = self.queue.settle(settlements) => answer,
            () = async { self.runtime.sleep(ANSWER).await } => Err(QueueError::unavailable("the queue did not answer in time")),
        }
    }

    /// Settles a refused batch one by one, so that one wrong followup holds up no other job; gives what is to be repeated.
    async fn settle_singly(&self, batch: Vec<Ended>, error: &QueueError) -> Vec<Ended> {
        let is_single = batch.len() == 1;
        let mut again = Vec::new();
        for ended in batch {
            let answer = if is_single {
                Err(None)
            } else {
                self.settle(std::slice::from_ref(&ended)).await.map_err(Some)
            };
            match answer {
                Ok(settled) => self.let_go(&mut vec![ended], settled),
                Err(Some(error)) if error.is_transient() => {
                    ended.held.repeat_settlement();
                    again.push(ended);
                }
                Err(refusal) => {
                    again.extend(self.settle_refused(ended, refusal.as_ref().unwrap_or(error)).await);
                }
            }
        }
        again
    }

    /// Fails a job whose settlement the queue refuses for good: its followups can't be stored.
    async fn settle_refused(&self, ended: Ended, error: &QueueError) -> Option<Ended> {
        let facts = ended.held.facts();
        if ended.settlement.followups.is_empty() {
            tracing::error!(
                service = self.settings.name, job.id = %facts.id, error = %error_chain(error),
                "could not settle; the lease will expire"
            );
            self.let_go(&mut vec![ended], Vec::new());
            return None;
        }
        let refused = format!("its followups can't be stored: {}", error_chain(error));
        tracing::error!(
            service = self.settings.name, job.id = %facts.id, job.name = %facts.name, error = %refused,
            "attempt discarded"
        );
        let transition = Transition::Discard { error: refused };
        let ended = Ended { settlement: Settlement::new(ended.settlement.lease, transition), ..ended };
        match self.settle(std::slice::from_ref(&ended)).await {
            Ok(settled) => self.let_go(&mut vec![ended], settled),
            Err(error) if error.is_transient() => {
                ended.held.repeat_settlement();
                return Some(ended);
            }
            Err(error) => {
                tracing::error!(
                    service = self.settings.name, job.id = %facts.id, error = %error_chain(&error),
                    "could not settle; its lease will expire"
                );
                self.let_go(&mut vec![ended], Vec::new());
            }
        }
        None
    }

    /// Empties the batch, which keeps its memory for the next. What is blocked stays in hand.
    pub(super) fn let_go(&self, batch: &mut Vec<Ended>, mut settled: Vec<Settled>) {
        if settled.contains(&Settled::Blocked) {
            self.blocked.take_from(batch, &mut settled);
        }
        for (ended, settled) in batch.iter().zip(&settled) {
            if *settled == Settled::Stale {
                let facts = ended.held.facts();
                if ended.held.is_settlement_repeated() {
                    tracing::info!(
                        service = self.settings.name,
                        job.id = %facts.id, job.name = %facts.name, fence = %facts.fence,
                        "a repeated settlement is stale: the first one, whose answer was lost, may have been applied"
                    );
                } else {
                    tracing::warn!(
                        service = self.settings.name,
                        job.id = %facts.id, job.name = %facts.name, fence = %facts.fence,
                        "the lease was lost before the attempt was settled; its result was not recorded"
                    );
                }
            }
            self.observe(|| Event::Settled {
                job: ended.held.facts(),
                transition: ended.settlement.transition.clone(),
                settled: *settled,
            });
        }
        self.hand.release(batch.drain(..).map(|ended| ended.held));
    }
}
