//! Renews leases, and ends those that have expired.

use queue_core::admin::AttemptError;
use queue_core::backend::{ExpiredJob, Tally, to_i64};
use queue_core::{Heartbeat, JobId, Renewal, State};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use super::history::CountedJob;
use super::partitions::JobPlace;
use crate::rows::{self, Seq};
use crate::sql;

/// A lease that has expired.
struct ExpiredLease {
    seq: Seq,
    fence: i64,
    attempt: u32,
    max_attempts: u32,
    expired_at: queue_core::Timestamp,
    cancel_requested: bool,
    id: JobId,
    on_discard: Option<String>,
    counted: CountedJob,
    place: JobPlace,
}

impl Table<'_> {
    /// Extends the leases of running jobs, each by its own length from now.
    pub(crate) fn renew(&mut self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>> {
        heartbeats.iter().map(|heartbeat| self.renew_one(heartbeat)).collect()
    }

    fn renew_one(&mut self, heartbeat: &Heartbeat) -> Result<Renewal> {
        let lease = &heartbeat.lease;
        let expires_at = self.now.saturating_add(lease.length);
        let (id, fence) = (rows::id_bytes(lease.job), to_i64(lease.fence.0));
        let cancel = match &heartbeat.progress {
            None => {
                let renew = self.statements.get(sql::RENEW)?;
                renew.query_row((id, fence, expires_at.as_micros()), |row| row.get(0))
            }
            Some(progress) => {
                let renew = self.statements.get(sql::RENEW_WITH_PROGRESS)?;
                let values = (id, fence, expires_at.as_micros(), progress.percent(), progress.note());
                renew.query_row(values, |row| row.get(0))
            }
        };
        Ok(cancel.optional()?.map_or(Renewal::Lost, |cancel| Renewal::held(expires_at, cancel)))
    }

    /// Ends expired leases, whose workers are presumed dead. Each attempt counts, and failed when its lease expired.
    ///
    /// If jobs of shared queues are due, those that were due before a lease expired become available before its job, because
    /// partitions are served in the order in which they came to have ready jobs.
    pub(super) fn expire(&mut self, is_shared_due: bool) -> Result<()> {
        for expired in self.expired_leases()? {
            if is_shared_due {
                self.promote_shared(expired.expired_at)?;
            }
            let ExpiredLease { seq, fence, attempt, max_attempts, expired_at, cancel_requested, id, .. } =
                expired;
            self.record_failure(seq, fence, &AttemptError::lease_expired(attempt, max_attempts, expired_at))?;
            let state = State::after_expiry(cancel_requested, attempt, max_attempts);
            let is_shared = self.is_shared(expired.place.queue_id)?;
            self.statements.get(sql::EXPIRE_LEASE)?.execute((seq, state as i64))?;
            if is_shared {
                self.count_move(&expired.place)?;
            }
            let tally = Tally::of_expiry(state, expired.counted.run_time(expired_at));
            self.cache.ended.add(expired_at, expired.counted, tally);
            if state == State::Discarded {
                let discarded = self.record(id)?;
                self.cache.expired.push(ExpiredJob::from(&discarded));
                if let Some(on_discard) = &expired.on_discard {
                    self.store_on_discard(discarded, on_discard)?;
                }
            }
        }
        Ok(())
    }

    fn expired_leases(&mut self) -> Result<Vec<ExpiredLease>> {
        let expired = self.statements.get(sql::EXPIRED_LEASES)?;
        let rows = expired.query_map([self.now.as_micros()], |row| {
            Ok(ExpiredLease {
                seq: row.get(0)?,
                fence: row.get(1)?,
                attempt: row.get(2)?,
                max_attempts: row.get(3)?,
                expired_at: rows::timestamp(row, 4)?,
                cancel_requested: row.get(5)?,
                id: rows::id(row, 6)?,
                on_discard: row.get(7)?,
                counted: CountedJob::read(row, 8)?,
                place: JobPlace {
                    seq: row.get(0)?,
                    queue_id: row.get(8)?,
                    partition: rows::partition(row, 11)?,
                    partition_id: row.get(12)?,
                    state: State::Executing,
                },
            })
        })?;
        rows.collect()
    }
}
