//! Stores the job that a discarded job names for that.

use queue_core::backend::Encoded;
use queue_core::{JobId, JobRecord, OnDiscard, QueueError};
use rusqlite::types::Type;
use rusqlite::{Error, Result};

use super::Table;
use crate::rows;
use crate::sql;

impl Table<'_> {
    /// Stores the job of a discard. `on_discard` is the setting that the last claim stored, and the last error is recorded.
    pub(super) fn store_on_discard(&mut self, discarded: JobId, on_discard: &str) -> Result<()> {
        let on_discard = OnDiscard::from_json(on_discard).map_err(|error| unusable(&error))?;
        if on_discard == OnDiscard::nothing() {
            return Ok(());
        }
        let record = self.record(discarded)?;
        if let Some(job) = on_discard.job_for(record) {
            let job = Encoded::unchecked(job).map_err(|error| unusable(&error))?;
            self.store_all(&[job])?;
        }
        Ok(())
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

fn unusable(error: &QueueError) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, queue_core::backend::error_chain(error).into())
}
