//! The holders of unique keys.

use queue_core::{JobId, QueueError, Timestamp};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use crate::error::OpError;
use crate::rows::{self, Seq};
use crate::sql;

/// The job that owns a unique key.
pub(super) struct KeyHolder {
    pub(super) seq: Seq,
    pub(super) id: JobId,
    pub(super) has_started: bool,
    /// Whether the key is still taken: the job is unfinished, or within its window.
    pub(super) is_held: bool,
}

impl Table<'_> {
    /// Returns the job that owns a key. Keys are compared within a job name.
    pub(super) fn find_key_holder(&mut self, name: &str, key: &str) -> Result<Option<KeyHolder>> {
        let now = self.now;
        let find = self.statements.get(sql::FIND_KEY_HOLDER)?;
        find.query_row((name, key), |row| {
            let is_finished = rows::state(row, 2)?.is_finished();
            let until = row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros);
            Ok(KeyHolder {
                seq: row.get(0)?,
                id: rows::id(row, 1)?,
                has_started: is_finished || row.get::<_, u32>(3)? > 0,
                is_held: !is_finished || until.is_some_and(|until| until > now),
            })
        })
        .optional()
    }

    /// Takes the unique key from a job.
    pub(super) fn release_key(&mut self, seq: Seq) -> Result<()> {
        self.statements.get(sql::RELEASE_KEY)?.execute([seq])?;
        Ok(())
    }

    /// Takes the unique key from its owner for a finished job that is to run again.
    ///
    /// # Errors
    ///
    /// `Conflict` if the owner is unfinished, or within its window.
    pub(super) fn reclaim_key(&mut self, id: JobId, name: &str, key: &str) -> Result<(), OpError> {
        match self.find_key_holder(name, key)?.filter(|holder| holder.id != id) {
            Some(holder) if holder.is_held => Err(QueueError::unique_key_taken(id, holder.id).into()),
            Some(holder) => Ok(self.release_key(holder.seq)?),
            None => Ok(()),
        }
    }
}
