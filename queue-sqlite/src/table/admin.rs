//! The requests of operators.

use queue_core::admin::Cancellation;
use queue_core::{JobId, QueueError, QueueName, State};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use crate::error::OpError;
use crate::rows::{self, Seq};
use crate::sql;

/// The columns of a job on which an operator's request depends.
struct JobRow {
    seq: Seq,
    state: State,
    name: String,
    unique_key: Option<String>,
}

impl Table<'_> {
    /// Cancels a waiting job, or requests the cancellation of an executing one.
    pub(crate) fn cancel(&mut self, id: JobId, reason: &str) -> Result<Cancellation, OpError> {
        let job = self.find(id)?;
        if job.state.is_finished() {
            return Ok(Cancellation::Finished);
        }
        if job.state == State::Executing {
            self.statements.get(sql::REQUEST_CANCEL)?.execute((job.seq, reason))?;
            return Ok(Cancellation::Requested);
        }
        self.counting(job.seq, |table| {
            let cancel = table.statements.get(sql::CANCEL_WAITING)?;
            cancel.execute((job.seq, table.now.as_micros(), reason))
        })?;
        Ok(Cancellation::Cancelled)
    }

    /// Sets a finished or waiting job to available now, with at least one attempt left.
    ///
    /// # Errors
    ///
    /// `Conflict` if the job is executing, or if another job holds its unique key.
    pub(crate) fn retry(&mut self, id: JobId) -> Result<(), OpError> {
        let job = self.find(id)?;
        if job.state == State::Executing {
            return Err(QueueError::executing_job(id).into());
        }
        if let (true, Some(key)) = (job.state.is_finished(), &job.unique_key) {
            self.reclaim_key(id, &job.name, key)?;
        }
        self.counting(job.seq, |table| {
            table.statements.get(sql::RETRY_BY_OPERATOR)?.execute((job.seq, table.now.as_micros()))
        })?;
        Ok(())
    }

    /// Deletes a job.
    ///
    /// # Errors
    ///
    /// `Conflict` if the job is executing.
    pub(crate) fn delete(&mut self, id: JobId) -> Result<(), OpError> {
        let job = self.find(id)?;
        if job.state == State::Executing {
            return Err(QueueError::executing_job(id).into());
        }
        Ok(self.counting(job.seq, |table| table.remove(job.seq))?)
    }

    /// Pauses or resumes a queue.
    pub(crate) fn pause(&mut self, queue: &QueueName, paused: bool) -> Result<()> {
        self.statements.get(sql::SET_PAUSED)?.execute((queue.as_str(), paused))?;
        Ok(())
    }

    /// Returns the job with this id.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    fn find(&mut self, id: JobId) -> Result<JobRow, OpError> {
        let find = self.statements.get(sql::FIND_FOR_OPERATOR)?;
        let job = find.query_row([rows::id_bytes(id)], |row| {
            let (seq, name, unique_key) = (row.get(0)?, row.get(2)?, row.get(3)?);
            Ok(JobRow { seq, state: rows::state(row, 1)?, name, unique_key })
        });
        Ok(job.optional()?.ok_or_else(|| QueueError::unknown_job(id))?)
    }
}
