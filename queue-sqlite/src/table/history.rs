//! Counts what ends in each minute.

use std::collections::BTreeMap;

use queue_core::admin::HistoryRequest;
use queue_core::backend::{Tally, minute_of, to_i64};
use queue_core::{JobName, Timestamp};
use rusqlite::{Result, Row};

use super::Table;
use crate::rows;
use crate::sql::history::{COUNT, FORGET};

/// The attempts of one transaction that have ended, counted by queue, minute and name. So a transaction writes one row for all
/// jobs of a name.
#[derive(Default)]
pub(crate) struct EndedAttempts(BTreeMap<(i64, Timestamp, JobName), Tally>);

/// A job whose attempt ends, as far as the history needs it.
pub(super) struct CountedJob {
    queue_id: i64,
    name: JobName,
    claimed_at: Timestamp,
}

impl CountedJob {
    pub(super) fn new(queue_id: i64, name: JobName, claimed_at: Timestamp) -> Self {
        Self { queue_id, name, claimed_at }
    }

    /// Reads the columns `queue_id`, `name` and `claimed_at`.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        let name = JobName::new(row.get_ref(column + 1)?.as_str()?);
        Ok(Self { queue_id: row.get(column)?, name, claimed_at: rows::timestamp(row, column + 2)? })
    }

    pub(super) fn queue_id(&self) -> i64 {
        self.queue_id
    }

    /// Returns how long the attempt has run if it ends at `at`.
    pub(super) fn run_time(&self, at: Timestamp) -> std::time::Duration {
        at.since(self.claimed_at)
    }
}

impl EndedAttempts {
    /// Adds an attempt that ended at `at`.
    pub(super) fn add(&mut self, at: Timestamp, job: CountedJob, tally: Tally) {
        self.0.entry((job.queue_id, minute_of(at), job.name)).or_default().add(tally);
    }

    /// Adds others.
    pub(super) fn merge(&mut self, others: Self) {
        for (key, tally) in others.0 {
            self.0.entry(key).or_default().add(tally);
        }
    }
}

impl Table<'_> {
    /// Writes the counts of this transaction, the last step of which this is. The first one of each minute deletes the minutes that are
    /// no longer kept.
    pub(super) fn write_history(&mut self) -> Result<()> {
        let EndedAttempts(tallies) = std::mem::take(&mut self.cache.ended);
        if tallies.is_empty() {
            return Ok(());
        }
        for ((queue_id, minute, name), tally) in tallies {
            let run_time = i64::try_from(tally.run_time.as_micros()).unwrap_or(i64::MAX);
            let [completed, failed, discarded] = [tally.completed, tally.failed, tally.discarded].map(to_i64);
            let key = (queue_id, minute.as_micros(), name.as_str());
            let count = self.statements.get(COUNT)?;
            count.execute((key.0, key.1, key.2, completed, failed, discarded, run_time))?;
        }
        let first_kept = HistoryRequest::first_kept(self.now);
        if self.cache.forgotten_before != Some(first_kept) {
            for queue_id in self.queue_ids()? {
                self.statements.get(FORGET)?.execute((queue_id, first_kept.as_micros()))?;
            }
            self.cache.forgotten_before = Some(first_kept);
        }
        Ok(())
    }
}
