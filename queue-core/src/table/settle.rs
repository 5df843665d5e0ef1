//! Ends attempts.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::delay::check_delays;
use crate::contract::error::QueueError;
use crate::contract::record::State;
use crate::contract::settlement::{Settled, Settlement, Transition};
use crate::contract::tally::Tally;

impl JobTable {
    /// Ends attempts, each with its followups as one step, independent of one another.
    ///
    /// # Errors
    ///
    /// `Invalid` if a result or a followup exceeds a limit; then no settlement is applied.
    pub fn settle(
        &mut self,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        self.config.limits.check_settlements(&settlements)?;
        self.advance(now);
        settlements.iter().try_for_each(|settlement| check_delays(&settlement.followups, self.now))?;
        Ok(settlements.into_iter().map(|settlement| self.settle_one(settlement)).collect())
    }

    fn settle_one(&mut self, settlement: Settlement) -> Settled {
        let Some(slot) = self.held(&settlement.lease) else {
            return Settled::Stale;
        };
        self.apply(slot, settlement.transition);
        for followup in settlement.followups {
            // A followup whose unique key is held is not stored. That is not an error.
            let _: crate::contract::queue::Receipt = self.store(followup);
        }
        Settled::Applied
    }

    fn apply(&mut self, slot: Slot, mut transition: Transition) {
        transition.cut_text();
        let now = self.now;
        let job = &mut self.store[slot];
        if let Some(tally) = Tally::of(&transition, now.since(job.claimed_at)) {
            self.history.add(now, job, tally);
        }
        match &transition {
            Transition::Retry { error, .. } | Transition::Discard { error } => {
                job.note_error(now, error.clone());
            }
            Transition::Snooze { error, .. } => {
                if let Some(error) = error {
                    job.note_error(now, error.clone());
                }
                job.attempt = job.attempt.saturating_sub(1);
            }
            Transition::Throttle { .. } | Transition::Release => job.attempt = job.attempt.saturating_sub(1),
            Transition::Complete { .. } | Transition::Cancel { .. } => {}
        }
        let cancelled = job.cancel_reason().is_some();
        if let Transition::Throttle { at } = transition {
            self.hold(slot, at);
        }
        match transition {
            Transition::Complete { result } => {
                if result.is_some() {
                    self.store[slot].extras().result = result;
                }
                self.finish(slot, State::Completed);
            }
            Transition::Discard { .. } => self.discard(slot, now),
            Transition::Cancel { reason } => {
                self.store[slot].extras().cancel_reason = Some(reason);
                self.finish(slot, State::Cancelled);
            }
            // A requested cancellation replaces every transition after which the job would run again.
            Transition::Retry { .. }
            | Transition::Snooze { .. }
            | Transition::Throttle { .. }
            | Transition::Release
                if cancelled =>
            {
                self.finish(slot, State::Cancelled);
            }
            Transition::Retry { at, .. } => self.wait_until(slot, at, State::Retryable),
            Transition::Snooze { at, .. } | Transition::Throttle { at } => {
                self.wait_until(slot, at, State::Scheduled);
            }
            Transition::Release => self.store.transition(slot, State::Available),
        }
    }
}
