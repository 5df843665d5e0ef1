//! The workers that claim.

use queue_core::admin::WorkerRecord;
use queue_core::backend::to_i64;
use queue_core::{Announcement, WorkerId};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use crate::sql::workers::{ANNOUNCE, ANY_OLD_WORKER, FIND_WORKER, FORGET_WORKERS, INSERT_WORKER, LEAVE};

impl Table<'_> {
    /// Stores the announcement of a worker, or that it has stopped, and deletes old workers.
    pub(crate) fn announce(&mut self, announcement: &Announcement) -> Result<()> {
        let (worker, now) = (announcement.worker.as_str(), self.now);
        if announcement.valid_for.is_zero() {
            self.statements.get(LEAVE)?.execute([worker])?;
        } else {
            let until = now.saturating_add(announcement.valid_for).as_micros();
            let announce = self.statements.get(ANNOUNCE)?;
            announce.execute((worker, now.as_micros(), until, announcement.encode()))?;
        }
        let kept = to_i64(WorkerRecord::MAX_VANISHED as u64);
        let old = (now.saturating_sub(WorkerRecord::REMEMBERED).as_micros(), now.as_micros(), kept);
        if self.statements.get(ANY_OLD_WORKER)?.exists(old)? {
            self.statements.get(FORGET_WORKERS)?.execute(old)?;
        }
        Ok(())
    }

    /// Returns the number of a worker. Inserts the worker at its first use.
    pub(super) fn worker_id(&mut self, worker: &WorkerId) -> Result<i64> {
        let find = self.statements.get(FIND_WORKER)?;
        match find.query_row([worker.as_str()], |row| row.get(0)).optional()? {
            Some(worker_id) => Ok(worker_id),
            None => self.statements.get(INSERT_WORKER)?.query_row([worker.as_str()], |row| row.get(0)),
        }
    }
}
