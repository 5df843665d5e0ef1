//! Stores the `on_discard` job of a discarded job.

use queue_core::backend::Encoded;
use queue_core::{JobId, JobRecord, OnDiscard, QueueError};
use rusqlite::Result;

use super::Table;
use crate::rows;
use crate::sql;

impl Table<'_> {
    /// Stores the job of a discard. `on_discard` is the setting that the last claim stored, and `discarded` has its last error.
    pub(super) fn store_on_discard(&mut self, discarded: JobRecord, on_discard: &str) -> Result<()> {
        let id = discarded.id;
        match job_to_store(discarded, on_discard) {
            Ok(job) => self.store_all(job.as_slice()).map(drop),
            Err(error) => {
                // Only another program that writes to the table can store such a setting. It must not fail the other jobs.
                tracing::error!(job.id = %id, ?error, "the `on_discard` of a discarded job can't be read, storing no job for it");
                Ok(())
            }
        }
    }

    /// Returns a job with its errors.
    pub(super) fn record(&mut self, id: JobId) -> Result<JobRecord> {
        let connection = self.connection;
        let get = self.statements.get(sql::GET)?;
        let (seq, mut record, _) =
            get.query_row([rows::id_bytes(id)], |row| rows::job_record(connection, row))?;
        let failures = self.statements.get(sql::FAILURES)?;
        record.errors = failures.query_map([seq], rows::attempt_error)?.collect::<Result<_>>()?;
        Ok(record)
    }
}

/// Returns the job to store, if there is one.
fn job_to_store(discarded: JobRecord, on_discard: &str) -> Result<Option<Encoded>, QueueError> {
    OnDiscard::from_json(on_discard)?.job_for(discarded).map(Encoded::unchecked).transpose()
}
