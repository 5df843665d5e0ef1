//! Completes an attempt together with the writes of its unit of work, or not at all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use queue_core::backend::{Encoded, panic_message};
use queue_core::{BoxError, QueueError, Settled, Settlement};
use rusqlite::Connection;

use super::Table;
use crate::error::OpError;

/// A write of a unit of work.
pub(crate) type Write = Box<dyn FnOnce(&Connection) -> Result<(), BoxError> + Send>;

impl Table<'_> {
    /// Completes a job, runs its writes and stores its followups if its lease is current; otherwise does nothing.
    ///
    /// If a write fails, everything is rolled back to a savepoint.
    ///
    /// # Errors
    ///
    /// `Conflict` if a write failed.
    pub(crate) fn complete_in_unit_of_work(
        &mut self,
        completion: &Settlement,
        writes: Vec<Write>,
        followups: &[Encoded],
    ) -> Result<Settled, OpError> {
        self.check_delays(followups)?;
        self.write_partitions()?;
        self.connection.execute_batch("savepoint queue_unit")?;
        let ended_before = std::mem::take(&mut self.cache.ended);
        let completed = self.apply(&completion.lease, &completion.transition)?;
        // The writes may store jobs too, and a rollback undoes what is stored here.
        self.reread_partitions()?;
        let written = if completed { self.run_writes(writes)? } else { Ok(()) };
        let undo = if written.is_err() { "rollback to queue_unit; " } else { "" };
        self.connection.execute_batch(&format!("{undo}release queue_unit"))?;
        let ended = std::mem::replace(&mut self.cache.ended, ended_before);
        if written.is_ok() {
            self.cache.ended.merge(ended);
        }
        match written {
            Err(error) => {
                // Not `Invalid`: then the job would not be retried.
                Err(QueueError::conflict("a write of the unit of work failed").with_source(error).into())
            }
            Ok(()) if completed => {
                self.store_all(followups)?;
                Ok(Settled::Applied)
            }
            Ok(()) => Ok(Settled::Stale),
        }
    }

    /// Runs the writes up to the first that fails. The inner result is that of the writes.
    fn run_writes(&self, writes: Vec<Write>) -> Result<Result<(), BoxError>, OpError> {
        for write in writes {
            let write = || catch_unwind(AssertUnwindSafe(|| write(self.connection)));
            let (written, refused) = self.cache.authorizer.run_authorized(self.connection, write)?;
            if self.connection.is_autocommit() {
                // A full disk may have ended the transaction, not the SQL of the write.
                if let Ok(Err(error)) = written
                    && let Ok(error) = error.downcast::<rusqlite::Error>()
                {
                    return Err(OpError::Database(*error));
                }
                return Err(OpError::TransactionLost(
                    "a write of a unit of work ended the transaction, which a write must not do",
                ));
            }
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) if refused.is_some() => {
                    let refused = refused.unwrap_or_default();
                    let error = QueueError::invalid(refused).with_source(error);
                    return Ok(Err(error.into()));
                }
                Ok(Err(error)) => return Ok(Err(error)),
                Err(panic) => return Ok(Err(panic_message(&*panic).into())),
            }
        }
        Ok(Ok(()))
    }
}
