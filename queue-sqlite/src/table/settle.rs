//! Settles attempts.

use queue_core::admin::AttemptError;
use queue_core::backend::{Encoded, Tally, to_i64};
use queue_core::{Lease, Settled, Settlement, Transition};
use rusqlite::{OptionalExtension as _, Result, Row};

use super::Table;
use super::history::CountedJob;
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

    /// Applies a transition if the lease is current, and counts the end of the attempt. Returns whether it was current.
    pub(super) fn apply(&mut self, lease: &Lease, transition: &Transition) -> Result<bool> {
        let held = self.statements.get(sql::HELD)?;
        let key = (rows::id_bytes(lease.job), to_i64(lease.fence.0));
        let Some(job) = held.query_row(key, HeldJob::read).optional()? else {
            return Ok(false);
        };
        self.end(&job, lease, transition)?;
        if let Some(tally) = Tally::of(transition, job.counted.run_time(self.now)) {
            self.cache.ended.add(self.now, job.counted, tally);
        }
        Ok(true)
    }

    /// Applies a transition to the job of a current lease.
    fn end(&mut self, job: &HeldJob, lease: &Lease, transition: &Transition) -> Result<()> {
        let (seq, now) = (job.seq, self.now.as_micros());
        match transition {
            Transition::Complete { result: None, .. } => {
                self.statements.get(sql::COMPLETE)?.execute((seq, now))?;
            }
            Transition::Complete { result: Some(result), .. } => {
                self.statements.get(sql::COMPLETE_WITH_RESULT)?.execute((seq, now, result.as_str()))?;
            }
            Transition::Cancel { reason } => {
                self.statements.get(sql::CANCEL)?.execute((seq, now, reason))?;
            }
            Transition::Discard { error } => {
                self.statements.get(sql::DISCARD)?.execute((seq, now))?;
                self.record_error(job, lease, error)?;
                if let Some(on_discard) = &job.on_discard {
                    let discarded = self.record(lease.job)?;
                    self.store_on_discard(discarded, on_discard)?;
                }
            }
            Transition::Retry { at, error } => {
                self.statements.get(sql::RETRY)?.execute((seq, now, at.as_micros()))?;
                self.record_error(job, lease, error)?;
            }
            Transition::Snooze { at, error } => {
                self.statements.get(sql::SNOOZE)?.execute((seq, now, at.as_micros()))?;
                if let Some(error) = error {
                    self.record_error(job, lease, error)?;
                }
            }
            _ => {
                self.statements.get(sql::RELEASE)?.execute((seq, now))?;
            }
        }
        Ok(())
    }

    /// Stores the error of an attempt.
    fn record_error(&mut self, job: &HeldJob, lease: &Lease, message: &str) -> Result<()> {
        let error = AttemptError::new(job.attempt, self.now, message);
        self.record_failure(job.seq, to_i64(lease.fence.0), &error)
    }
}

/// The job of a lease that is current.
struct HeldJob {
    seq: Seq,
    attempt: u32,
    on_discard: Option<String>,
    counted: CountedJob,
}

impl HeldJob {
    /// Reads a row of `HELD`.
    fn read(row: &Row<'_>) -> Result<Self> {
        let counted = CountedJob::read(row, 1)?;
        Ok(Self { seq: row.get(0)?, attempt: row.get(4)?, on_discard: row.get(5)?, counted })
    }
}
