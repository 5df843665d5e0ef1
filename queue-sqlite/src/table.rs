//! The jobs in the file, as a queue: the rules of `queue_core::table::JobTable` over SQL.
//!
//! Everything here happens within a transaction that somebody else began and will commit, at one instant. The files in
//! the folder are named as those of the model are, and each does the same as its namesake.
//!
//! **Invariant:** an operation that is refused has written nothing.

mod admin;
mod claim;
mod complete;
mod lease;
mod prune;
mod push;
mod settle;
mod statements;

use std::collections::HashMap;

use queue_core::{QueueName, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result};

use crate::guard::Guard;
use crate::rows;
use crate::sql;
use statements::Statements;

/// The jobs, at one instant of one transaction.
pub(crate) struct Table<'a> {
    connection: &'a Connection,
    now: Timestamp,
    cache: &'a mut WriterCache,
    statements: Statements<'a>,
}

/// The states that time ends.
const TIMED: [State; 3] = [State::Scheduled, State::Executing, State::Retryable];

/// What the tables of one connection share.
#[derive(Default)]
pub(crate) struct WriterCache {
    /// The numbers of queues, for one transaction: whoever deletes or restores the tables changes them.
    pub(crate) queue_ids: HashMap<QueueName, i64>,
    /// Watches over the writes of units of work.
    pub(crate) guard: Guard,
}

impl<'a> Table<'a> {
    pub(crate) fn new(connection: &'a Connection, now: Timestamp, cache: &'a mut WriterCache) -> Self {
        Self { connection, now, cache, statements: Statements::new(connection) }
    }

    /// Lets time pass: what is due becomes available, and expired leases are void.
    pub(crate) fn advance(&mut self) -> Result<()> {
        for state in TIMED {
            // A look costs little, and mostly there is nothing to do.
            let find = self.statements.get(sql::NEXT_STATE_TIME)?;
            let next = find.query_row([state as i64], |row| rows::timestamp(row, 0)).optional()?;
            if next.is_none_or(|next| next > self.now) {
                continue;
            }
            match state {
                State::Executing => self.expire()?,
                waiting => {
                    let due = self.statements.get(sql::PROMOTE_DUE)?;
                    due.execute((waiting as i64, self.now.as_micros()))?;
                }
            }
        }
        Ok(())
    }

    /// Gives a queue's number, made at its first use.
    fn queue_id(&mut self, queue: &QueueName) -> Result<i64> {
        if let Some(queue_id) = self.cache.queue_ids.get(queue) {
            return Ok(*queue_id);
        }
        let find = self.statements.get(sql::FIND_QUEUE)?;
        let queue_id = match find.query_row([queue.as_str()], |row| row.get(0)).optional()? {
            Some(queue_id) => queue_id,
            None => self
                .connection
                .prepare_cached(sql::INSERT_QUEUE)?
                .query_row([queue.as_str()], |row| row.get(0))?,
        };
        self.cache.queue_ids.insert(queue.clone(), queue_id);
        Ok(queue_id)
    }

    /// Adds to a job's history of errors, and keeps the newest.
    fn record_failure(
        &mut self,
        seq: rows::Seq,
        fence: i64,
        error: &queue_core::admin::AttemptError,
    ) -> Result<()> {
        use queue_core::admin::AttemptError;
        let insert = self.statements.get(sql::INSERT_FAILURE)?;
        insert.execute((seq, fence, error.attempt, error.at.as_micros(), &error.message))?;
        // Each failure has a fence of its own, so with fewer claims there can't be too many.
        if fence > rows::to_i64(AttemptError::KEPT as u64) {
            self.statements.get(sql::TRIM_FAILURES)?.execute((seq, AttemptError::KEPT as i64))?;
        }
        Ok(())
    }

    /// Removes a job and all that belongs to it.
    fn remove(&mut self, seq: rows::Seq) -> Result<()> {
        for statement in [sql::DELETE_JOB, sql::DELETE_PAYLOAD, sql::DELETE_FAILURES] {
            self.statements.get(statement)?.execute([seq])?;
        }
        Ok(())
    }
}

/// Tells when time next changes something: a job becomes due, or a lease expires.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    let mut find = connection.prepare_cached(sql::NEXT_STATE_TIME)?;
    let mut next: Option<i64> = None;
    for state in TIMED {
        let at = find.query_row([state as i64], |row| row.get(0)).optional()?;
        next = next.into_iter().chain(at).min();
    }
    Ok(next.map(Timestamp::from_micros))
}

/// Tells whether a queue has a ready job, without a transaction.
pub(crate) fn is_ready(connection: &Connection, queue: &QueueName) -> Result<bool> {
    connection.prepare_cached(sql::ANY_READY)?.exists([queue.as_str()])
}
