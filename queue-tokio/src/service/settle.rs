//! Records how jobs ended.

use queue_core::{Event, Settled};

use super::finished::Finished;
use super::lane::Lane;
use super::shared::Shared;
use super::unsettled::Unsettled;

impl Shared {
    /// Settles the results of a lane until none is left, unless another task does so.
    pub(super) async fn settle_lane(&self, number: usize) {
        let lane = self.lane(number);
        loop {
            let batch = lane.begin_settlement();
            if batch.is_empty() {
                return;
            }
            self.settle(lane, batch).await;
        }
    }

    /// Sends the settlements that a lane has begun. Those that are not recorded are sent again by the resettler.
    pub(super) async fn settle(&self, lane: &Lane, mut batch: Vec<Finished>) {
        self.complete_recorded(&mut batch);
        if !batch.is_empty() {
            let answer = tokio::select! {
                biased;
                answer = self.client().settle(&batch) => answer,
                // Nothing waits for these any more: their leases expire.
                () = self.shutdown().over().cancelled() => return,
            };
            match answer {
                Ok(settled) => {
                    let blocked = self.complete(batch, &settled);
                    if !blocked.is_empty() {
                        self.repeat_settlement(Unsettled::Blocked(blocked));
                    }
                }
                Err(error) => self.repeat_settlement(Unsettled::Failed(batch, error)),
            }
        }
        lane.end_settlement();
        self.shutdown().note_change();
    }

    /// Completes the jobs whose units of work have recorded how they ended.
    fn complete_recorded(&self, batch: &mut Vec<Finished>) {
        if batch.iter().any(Finished::is_recorded) {
            let recorded: Vec<_> = batch.extract_if(.., |finished| finished.is_recorded()).collect();
            let settled = vec![Settled::Applied; recorded.len()];
            drop(self.complete(recorded, &settled));
        }
    }

    /// Reports the answers to a batch, and removes its jobs. Returns those that are blocked: they stay in flight.
    pub(super) fn complete(&self, mut batch: Vec<Finished>, settled: &[Settled]) -> Vec<Finished> {
        let is_stopping = self.shutdown().is_stopping();
        for (finished, settled) in
            batch.iter().zip(settled).filter(|(_, settled)| **settled != Settled::Blocked)
        {
            if *settled == Settled::Stale {
                self.log_stale(finished);
            } else if is_stopping {
                self.tally().add(&finished.settlement().transition);
            }
            self.client().observe(|| Event::Settled {
                job: finished.facts(),
                transition: finished.settlement().transition.clone(),
                settled: *settled,
                has_begun: finished.job().attempt().has_begun(),
            });
            if *settled == Settled::Applied {
                self.observe_followups(finished);
            }
        }
        let mut blocked = Vec::new();
        if settled.contains(&Settled::Blocked) {
            let mut answers = settled.iter();
            blocked = batch.extract_if(.., |_| answers.next() == Some(&Settled::Blocked)).collect();
        }
        self.remove(batch);
        blocked
    }

    fn observe_followups(&self, finished: &Finished) {
        for followup in &finished.settlement().followups {
            self.client().observe(|| Event::FollowedUp {
                job: finished.facts(),
                name: followup.name.clone(),
                queue: followup.queue.clone(),
            });
        }
    }

    /// Removes settled jobs from their lanes.
    fn remove(&self, mut batch: Vec<Finished>) {
        while let Some(lane) = batch.last().map(|finished| finished.job().lane()) {
            if batch.iter().all(|finished| finished.job().lane() == lane) {
                return self.lane(lane).remove(batch);
            }
            self.lane(lane).remove(batch.extract_if(.., |finished| finished.job().lane() == lane).collect());
        }
    }

    fn log_stale(&self, finished: &Finished) {
        let job = finished.facts();
        if finished.job().is_settlement_repeated() {
            tracing::debug!(
                service = self.client().service(),
                job.id = %job.id, job.name = %job.name, fence = %job.fence,
                "a repeated settlement is stale: the first one, whose answer was lost, may have been applied"
            );
        } else {
            tracing::warn!(
                service = self.client().service(),
                job.id = %job.id, job.name = %job.name, fence = %job.fence,
                "the lease was lost before the attempt was settled; its result was not recorded"
            );
        }
    }
}
