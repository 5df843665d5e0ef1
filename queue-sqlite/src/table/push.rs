//! Stores jobs.

use queue_core::backend::{Encoded, check_delays};
use queue_core::{OnConflict, Partition, QueueError, Receipt, Schedule, State, Timestamp};
use rusqlite::Result;

use super::Table;
use crate::error::OpError;
use crate::rows::{self, Seq};
use crate::sql;

/// The greatest size of payload and meta together, in bytes, that is stored in the job's row.
///
/// SQLite rewrites the row at the claim and at the settlement, so larger ones are stored in `queue_payloads`, once.
const INLINE_LIMIT: usize = 512;

/// Returns whether the payload and meta of a job fit into its row.
pub(super) fn fits_inline(job: &Encoded) -> bool {
    job.payload.len() + job.meta.as_ref().map_or(0, String::len) <= INLINE_LIMIT
}

impl Table<'_> {
    /// Stores a batch. Returns a receipt for each job.
    ///
    /// # Errors
    ///
    /// `Invalid` if a delay overflows the clock.
    pub(crate) fn push(&mut self, jobs: &[Encoded]) -> Result<Vec<Receipt>, OpError> {
        self.check_delays(jobs)?;
        Ok(self.store_all(jobs)?)
    }

    /// Checks the delays of jobs.
    ///
    /// # Errors
    ///
    /// `Invalid` if a delay overflows the clock.
    pub(super) fn check_delays(&self, jobs: &[Encoded]) -> Result<(), QueueError> {
        check_delays(jobs.iter().map(|new| &new.job), self.now)
    }

    /// Stores jobs whose delays were checked, unless their ids or unique keys are taken.
    pub(super) fn store_all(&mut self, jobs: &[Encoded]) -> Result<Vec<Receipt>> {
        jobs.iter().map(|job| self.store(job)).collect()
    }

    fn store(&mut self, new: &Encoded) -> Result<Receipt> {
        if new.is_chosen && self.statements.get(sql::FIND_BY_ID)?.exists([rows::id_bytes(new.id)])? {
            return Ok(Receipt::Stored(new.id));
        }
        if let Some(unique) = &new.job.unique
            && let Some(holder) = self.find_key_holder(new.job.name.as_str(), &unique.key)?
        {
            if holder.is_held && unique.on_conflict == OnConflict::Keep {
                return Ok(Receipt::Existing(holder.id));
            }
            if holder.is_held && !holder.has_started {
                self.counting(holder.seq, |table| table.replace(holder.seq, new))?;
                return Ok(Receipt::Replaced(holder.id));
            }
            self.release_key(holder.seq)?;
        }
        self.insert(new)?;
        Ok(Receipt::Stored(new.id))
    }

    fn insert(&mut self, new: &Encoded) -> Result<()> {
        let Encoded { id, job, payload, meta, on_discard, .. } = new;
        let is_inline = fits_inline(new);
        let queue_id = self.queue_id(&job.queue)?;
        let (state, run_at) = self.schedule(job.schedule);
        let partition_id = self.place_new(queue_id, &job.partition, state)?;
        let unique = job.unique.as_ref();
        let until =
            unique.map(|unique| unique.window.map_or(self.now, |window| self.now.saturating_add(window)));
        self.statements.get(sql::INSERT_JOB)?.execute((
            rows::id_bytes(*id),
            queue_id,
            job.partition.name(),
            partition_id,
            job.name.as_str(),
            state as i64,
            job.priority,
            job.max_attempts,
            self.now.as_micros(),
            run_at.as_micros(),
            unique.map(|unique| unique.key.as_str()),
            until.map(Timestamp::as_micros),
            is_inline.then_some(&**payload),
            meta.as_deref().filter(|_| is_inline),
            (!is_inline).then_some(1),
            on_discard.as_deref(),
        ))?;
        if !is_inline {
            let seq = self.connection.last_insert_rowid();
            self.statements.get(sql::INSERT_PAYLOAD)?.execute((seq, &**payload, meta.as_deref()))?;
        }
        Ok(())
    }

    /// Counts a job before it is inserted in a state, and returns the number of its partition.
    pub(super) fn place_new(&mut self, queue_id: i64, partition: &Partition, state: State) -> Result<i64> {
        if !partition.is_none() {
            self.share(queue_id)?;
        }
        if !self.is_shared(queue_id)? {
            Ok(queue_id)
        } else if state == State::Available {
            self.count_ready(queue_id, partition)
        } else {
            // It gets its number when it becomes available.
            Ok(0)
        }
    }

    /// Replaces a job that has not started.
    fn replace(&mut self, seq: Seq, new: &Encoded) -> Result<()> {
        let (state, run_at) = self.schedule(new.job.schedule);
        let replace = self.statements.get(sql::REPLACE_JOB)?;
        replace.execute((seq, state as i64, new.job.priority, run_at.as_micros()))?;
        let is_external =
            self.statements.get(sql::REPLACE_EXTERNAL_PAYLOAD)?.execute((seq, &*new.payload))? > 0;
        if is_external {
            return Ok(());
        }
        if fits_inline(new) {
            self.statements.get(sql::REPLACE_INLINE_PAYLOAD)?.execute((seq, &*new.payload))?;
        } else {
            self.statements.get(sql::SPILL_PAYLOAD)?.execute((seq, &*new.payload))?;
            self.statements.get(sql::CLEAR_INLINE_PAYLOAD)?.execute([seq])?;
        }
        Ok(())
    }

    /// Returns when a job becomes ready, and its state until then. A time in the past means now.
    fn schedule(&self, schedule: Schedule) -> (State, Timestamp) {
        let at = match schedule {
            Schedule::After(delay) => self.now.saturating_add(delay),
            Schedule::At(at) => at.max(self.now),
            _ => self.now,
        };
        (if at > self.now { State::Scheduled } else { State::Available }, at)
    }
}
