//! Stores jobs as they were in another store.

use queue_core::admin::Imported;
use queue_core::backend::{Encoded, JobPast, to_i64};
use queue_core::{State, Timestamp};
use rusqlite::{Result, named_params};

use super::Table;
use super::push::fits_inline;
use crate::rows::{self, Seq};
use crate::sql;

impl Table<'_> {
    /// Imports a batch.
    pub(crate) fn import(&mut self, jobs: &[(Encoded, JobPast)]) -> Result<Vec<Imported>> {
        jobs.iter().map(|(job, past)| self.import_one(job, past)).collect()
    }

    fn import_one(&mut self, new: &Encoded, past: &JobPast) -> Result<Imported> {
        if self.statements.get(sql::FIND_BY_ID)?.exists([rows::id_bytes(new.id)])? {
            return Ok(Imported::Present);
        }
        if let Some(unique) = new.job.unique.as_ref().filter(|_| past.holds_key)
            && let Some(holder) = self.find_key_holder(new.job.name.as_str(), &unique.key)?
        {
            if holder.is_held {
                return Ok(Imported::KeyHeld(holder.id));
            }
            self.release_key(holder.seq)?;
        }
        let seq = self.insert_with_past(new, past)?;
        for (index, error) in past.errors.iter().enumerate() {
            self.record_failure(seq, to_i64(past.fence_of_error(index).0), error)?;
        }
        Ok(Imported::Stored)
    }

    /// Inserts a job with its payload. Returns its position in push order.
    fn insert_with_past(&mut self, new: &Encoded, past: &JobPast) -> Result<Seq> {
        let Encoded { id, job, payload, meta, on_discard, .. } = new;
        let queue_id = self.queue_id(&job.queue)?;
        let (unique, is_inline) = (job.unique.as_ref(), fits_inline(new));
        let window = unique.and_then(|unique| unique.window).unwrap_or_default();
        let until = unique.map(|_| past.pushed_at.saturating_add(window).as_micros());
        let state = if past.run_at > self.now { past.waiting } else { State::Available };
        let partition_id = self.place_new(queue_id, &job.partition, state)?;
        self.statements.get(sql::IMPORT_JOB)?.execute(named_params! {
            ":id": rows::id_bytes(*id),
            ":queue_id": queue_id,
            ":partition": job.partition.name(),
            ":partition_id": partition_id,
            ":name": job.name.as_str(),
            ":state": state as i64,
            ":priority": job.priority,
            ":attempt": past.attempt,
            ":max_attempts": job.max_attempts,
            ":fence": to_i64(past.fence.0),
            ":pushed_at": past.pushed_at.as_micros(),
            ":run_at": past.run_at.as_micros(),
            ":claimed_at": past.claimed_at.map(Timestamp::as_micros),
            ":unique_key": unique.map(|unique| unique.key.as_str()),
            ":unique_until": until,
            ":owns_unique_key": past.holds_key.then_some(1),
            ":payload": is_inline.then_some(&**payload),
            ":meta": meta.as_deref().filter(|_| is_inline),
            ":payload_is_external": (!is_inline).then_some(1),
            ":on_discard": on_discard.as_deref(),
        })?;
        let seq = self.connection.last_insert_rowid();
        if !is_inline {
            self.statements.get(sql::INSERT_PAYLOAD)?.execute((seq, &**payload, meta.as_deref()))?;
        }
        Ok(seq)
    }
}
