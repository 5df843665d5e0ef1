//! Settles attempts.

use queue_core::admin::AttemptError;
use queue_core::backend::{Encoded, to_i64};
use queue_core::{Lease, Settled, Settlement, Transition};
use rusqlite::{OptionalExtension as _, Result, Row};

use super::Table;
use crate::error::OpError;
use crate::rows::{self, Seq};
use crate::sql;

impl Table<'_> {
    /// Applies settlements independently of each other, each in one step with its followups.
    ///
    /// # Errors
    ///
    /// `Invalid` if the delay of a followup overflows the clock. Then none is applied.
    pub(crate) fn settle(
        &mut self,
        settlements: &[Settlement],
        followups: &[Vec<Encoded>],
    ) -> Result<Vec<Settled>, OpError> {
        followups.iter().try_for_each(|followups| self.check_delays(followups))?;
        let pairs = settlements.iter().zip(followups);
        Ok(pairs
            .map(|(settlement, followups)| self.settle_one(settlement, followups))
            .collect::<Result<_>>()?)
    }

    fn settle_one(&mut self, settlement: &Settlement, followups: &[Encoded]) -> Result<Settled> {
        if !self.apply(&settlement.lease, &settlement.transition)? {
            return Ok(Settled::Stale);
        }
        // A followup whose unique key is taken is not stored. That is no error.
        self.store_all(followups)?;
        Ok(Settled::Applied)
    }

    /// Applies a transition if the lease is current. Returns whether it was.
    pub(super) fn apply(&mut self, lease: &Lease, transition: &Transition) -> Result<bool> {
        let (id, fence, now) = (rows::id_bytes(lease.job), to_i64(lease.fence.0), self.now.as_micros());
        match transition {
            Transition::Complete { result: None, .. } => {
                Ok(self.statements.get(sql::COMPLETE)?.execute((id, fence, now))? > 0)
            }
            Transition::Complete { result: Some(result), .. } => {
                let complete = self.statements.get(sql::COMPLETE_WITH_RESULT)?;
                Ok(complete.execute((id, fence, now, result.as_str()))? > 0)
            }
            Transition::Cancel { reason } => {
                Ok(self.statements.get(sql::CANCEL)?.execute((id, fence, now, reason))? > 0)
            }
            Transition::Discard { error } => {
                let discard = self.statements.get(sql::DISCARD)?;
                let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get(2)?));
                let discarded = discard.query_row((id, fence, now), read).optional()?;
                let (job, on_discard): (_, Option<Option<String>>) = discarded.unzip();
                let applied = self.record_error(job, fence, error)?;
                if let Some(on_discard) = on_discard.flatten() {
                    let discarded = self.record(lease.job)?;
                    self.store_on_discard(discarded, &on_discard)?;
                }
                Ok(applied)
            }
            Transition::Retry { at, error } => {
                let retry = self.statements.get(sql::RETRY)?;
                let key = (id, fence, now, at.as_micros());
                let job = retry.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
                self.record_error(job, fence, error)
            }
            Transition::Snooze { at, error } => {
                let snooze = self.statements.get(sql::SNOOZE)?;
                let key = (id, fence, now, at.as_micros());
                let job = snooze.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
                match error {
                    Some(error) => self.record_error(job, fence, error),
                    None => Ok(job.is_some()),
                }
            }
            _ => Ok(self.statements.get(sql::RELEASE)?.execute((id, fence, now))? > 0),
        }
    }

    /// Stores the error of an attempt, if the transition has found its job. Returns whether it has.
    fn record_error(&mut self, job: Option<(Seq, u32)>, fence: i64, message: &str) -> Result<bool> {
        if let Some((seq, attempt)) = job {
            let error = AttemptError::new(attempt, self.now, message);
            self.record_failure(seq, fence, &error)?;
        }
        Ok(job.is_some())
    }
}
