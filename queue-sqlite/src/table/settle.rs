//! Settles attempts.

use queue_core::admin::AttemptError;
use queue_core::backend::{Encoded, Tally, to_i64};
use queue_core::{Lease, Settled, Settlement, Transition};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use super::claimed_jobs::ClaimedJob;
use crate::error::OpError;
use crate::rows;
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
        let Some(job) = self.claimed_job(lease)? else {
            return Ok(false);
        };
        let queue_id = job.counted.queue_id();
        if let Transition::Throttle { .. } = transition {
            self.share(queue_id)?;
        }
        let is_shared = self.is_shared(queue_id)?;
        let is_current = self.end_lease(&job, lease, transition)?;
        if is_current {
            if let Transition::Throttle { at } = transition {
                self.hold(queue_id, &job.partition, *at)?;
            }
            if is_shared {
                self.count_settled(&job, transition)?;
            }
            self.store_effects(&job, lease, transition)?;
            if let Some(tally) = Tally::of(transition, job.counted.run_time(self.now)) {
                self.cache.ended.add(self.now, job.counted, tally);
            }
        }
        Ok(is_current)
    }

    /// Returns the job of a lease. If the lease is not current, returns nothing or the job that it was for.
    fn claimed_job(&mut self, lease: &Lease) -> Result<Option<ClaimedJob>> {
        if let Some(job) = self.cache.claimed.take(lease) {
            return Ok(Some(job));
        }
        let key = (rows::id_bytes(lease.job), to_i64(lease.fence.0));
        self.statements.get(sql::FIND_LEASED)?.query_row(key, ClaimedJob::read).optional()
    }

    /// Changes the row of a job if the lease is current. Returns whether it was.
    fn end_lease(&mut self, job: &ClaimedJob, lease: &Lease, transition: &Transition) -> Result<bool> {
        let (seq, id, fence) = (job.seq, rows::id_bytes(lease.job), to_i64(lease.fence.0));
        let now = self.now.as_micros();
        let changed = match transition {
            Transition::Complete { result: None, .. } => {
                self.statements.get(sql::COMPLETE)?.execute((seq, id, fence, now))?
            }
            Transition::Complete { result: Some(result), .. } => self
                .statements
                .get(sql::COMPLETE_WITH_RESULT)?
                .execute((seq, id, fence, now, result.as_str()))?,
            Transition::Cancel { reason } => {
                self.statements.get(sql::CANCEL)?.execute((seq, id, fence, now, reason))?
            }
            Transition::Discard { .. } => {
                self.statements.get(sql::DISCARD)?.execute((seq, id, fence, now))?
            }
            Transition::Retry { at, .. } => {
                self.statements.get(sql::RETRY)?.execute((seq, id, fence, now, at.as_micros()))?
            }
            Transition::Snooze { at, .. } | Transition::Throttle { at } => {
                self.statements.get(sql::SNOOZE)?.execute((seq, id, fence, now, at.as_micros()))?
            }
            _ => self.statements.get(sql::RELEASE)?.execute((seq, id, fence, now))?,
        };
        Ok(changed > 0)
    }

    /// Counts a job of a shared queue whose lease has ended.
    fn count_settled(&mut self, job: &ClaimedJob, transition: &Transition) -> Result<()> {
        match transition {
            Transition::Complete { .. } | Transition::Cancel { .. } | Transition::Discard { .. } => {
                self.count_end(&job.place())
            }
            _ => self.count_move(&job.place()),
        }
    }

    /// Stores the error of the attempt, if it failed, and the job that follows a discarded one.
    fn store_effects(&mut self, job: &ClaimedJob, lease: &Lease, transition: &Transition) -> Result<()> {
        let message = match transition {
            Transition::Discard { error } | Transition::Retry { error, .. } => error,
            Transition::Snooze { error: Some(error), .. } => error,
            _ => return Ok(()),
        };
        let error = AttemptError::new(job.attempt, self.now, message);
        self.record_failure(job.seq, to_i64(lease.fence.0), &error)?;
        if let Transition::Discard { .. } = transition {
            let on_discard = self.statements.get(sql::ON_DISCARD)?;
            let on_discard: Option<String> = on_discard.query_row([job.seq], |row| row.get(0))?;
            if let Some(on_discard) = on_discard {
                let discarded = self.record(lease.job)?;
                self.store_on_discard(discarded, &on_discard)?;
            }
        }
        Ok(())
    }
}
