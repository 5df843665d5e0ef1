//! Settlements: what a worker reports of an attempt becomes the next state of the job.

use queue_core::admin::AttemptError;
use queue_core::backend::Encoded;
use queue_core::{QueueError, Settled, Settlement, State, Timestamp, Transition};

use crate::list::{JobList, StoredJob};
use crate::push::intake;

impl JobList {
    /// Settles a batch. An invalid result or followup refuses the batch; otherwise each settlement has a result of its own.
    pub(crate) fn settle(&mut self, batch: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let (batch, followups) = intake().settlements(batch)?;
        followups.iter().try_for_each(|followups| self.check_delays(followups))?;
        Ok(batch.into_iter().zip(followups).map(|(one, followups)| self.settle_one(one, followups)).collect())
    }

    /// Applies a transition and stores its followups, if the lease is the job's newest.
    fn settle_one(&mut self, settlement: Settlement, followups: Vec<Encoded>) -> Settled {
        let now = self.now;
        let Some(job) = self.leased(&settlement.lease) else { return Settled::Stale };
        let on_discard_job = job.apply(settlement.transition, now);
        self.store(on_discard_job.into_iter().chain(followups).collect());
        Settled::Applied
    }
}

impl StoredJob {
    /// Applies a transition. Returns the job to store with a discard.
    fn apply(&mut self, mut transition: Transition, now: Timestamp) -> Option<Encoded> {
        transition.cut_text();
        self.record.progress = None;
        if let Transition::Retry { error, .. }
        | Transition::Discard { error }
        | Transition::Snooze { error: Some(error), .. } = &transition
        {
            self.record_error(AttemptError::new(self.record.attempt, now, error.clone()));
        }
        if matches!(transition, Transition::Snooze { .. } | Transition::Release) {
            self.record.attempt -= 1;
        }
        let is_to_be_cancelled = self.record.cancel_reason.is_some();
        match transition {
            Transition::Complete { result, .. } => {
                self.record.result = result;
                self.finish(State::Completed, now);
            }
            Transition::Discard { .. } => return self.discard(now),
            Transition::Cancel { reason } => {
                self.record.cancel_reason = Some(reason);
                self.finish(State::Cancelled, now);
            }
            _ if is_to_be_cancelled => self.finish(State::Cancelled, now),
            Transition::Retry { at, .. } => self.schedule(at, State::Retryable, now),
            Transition::Snooze { at, .. } => self.schedule(at, State::Scheduled, now),
            _ => self.record.state = State::Available,
        }
        None
    }
}
