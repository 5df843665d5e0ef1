//! The jobs in the file: the rules of `queue_core::table::JobTable`, in SQL.
//!
//! The caller begins and commits the transaction. All operations in it happen at the same time `now`. The files of the folder
//! have the names of the model's files, and each does the same as its namesake.
//!
//! **Invariant:** an operation that is refused has written nothing.

mod admin;
mod bulk;
mod claim;
mod claimed_jobs;
mod complete;
mod discard;
mod history;
mod import;
mod lease;
mod limits;
mod partitions;
mod push;
mod retention;
mod settle;
mod statements;
mod unique;
mod workers;

use std::collections::HashMap;

use queue_core::backend::{ExpiredJob, to_i64};
use queue_core::{QueueName, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result};

pub(crate) use complete::Write;
pub(crate) use history::EndedAttempts;
pub(crate) use partitions::{is_ready, next_start};

use crate::rows;
use crate::sql;
use crate::sql_authorizer::SqlAuthorizer;
use claimed_jobs::ClaimedJobs;
use partitions::{KeptPartitions, Partitions};
use statements::Statements;

/// The jobs, in one transaction and at one time.
pub(crate) struct Table<'a> {
    connection: &'a Connection,
    now: Timestamp,
    cache: &'a mut WriterCache,
    statements: Statements<'a>,
    partitions: Partitions,
    /// The counts that the last transaction has left, until this one uses them.
    kept_partitions: Option<KeptPartitions>,
}

/// The states that end at their `state_time`.
const TIMED: [State; 3] = [State::Scheduled, State::Executing, State::Retryable];

/// The state that the transactions of one connection share.
#[derive(Default)]
pub(crate) struct WriterCache {
    /// The ids of queues, for one transaction: another program that deletes or restores the tables changes them.
    pub(crate) queue_ids: HashMap<QueueName, i64>,
    /// Checks the writes of units of work.
    pub(crate) authorizer: SqlAuthorizer,
    /// The jobs that were discarded because their leases expired, until they are reported after the commit.
    pub(crate) expired: Vec<ExpiredJob>,
    /// The jobs that this connection has claimed.
    claimed: ClaimedJobs,
    /// The attempts that the open transaction has ended.
    pub(crate) ended: EndedAttempts,
    /// The first minute of the history that was kept when old ones were last deleted.
    pub(crate) forgotten_before: Option<Timestamp>,
    /// The number of the last partition that was examined; 0 before the first.
    examined_partitions: i64,
    /// The counts that the last transaction has left to the next.
    kept_partitions: Option<KeptPartitions>,
}

impl WriterCache {
    pub(crate) fn new(authorizer: SqlAuthorizer) -> Self {
        Self { authorizer, ..Self::default() }
    }

    /// Forgets the counts that the last transaction has left, which was not committed.
    pub(crate) fn forget_partitions(&mut self) {
        self.kept_partitions = None;
    }
}

impl<'a> Table<'a> {
    /// Creates the table for a transaction that is open on `connection`.
    pub(crate) fn new(connection: &'a Connection, now: Timestamp, cache: &'a mut WriterCache) -> Self {
        let (statements, partitions) = (Statements::new(connection), Partitions::default());
        let kept_partitions = cache.kept_partitions.take();
        Self { connection, now, cache, statements, partitions, kept_partitions }
    }

    /// Promotes due jobs to available and ends expired leases.
    pub(crate) fn advance(&mut self) -> Result<()> {
        let (mut is_shared_due, mut has_expired) = (false, false);
        for state in TIMED {
            // Mostly nothing is due, and this check costs little.
            let find = self.statements.get(sql::NEXT_STATE_TIME)?;
            let (next, any_shared): (Option<i64>, bool) =
                find.query_row([state as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            self.partitions.note_any_shared(any_shared);
            if next.is_none_or(|next| Timestamp::from_micros(next) > self.now) {
                continue;
            }
            match state {
                State::Executing => has_expired = true,
                _ if any_shared => is_shared_due = true,
                waiting => {
                    let due = self.statements.get(sql::PROMOTE_DUE)?;
                    due.execute((waiting as i64, self.now.as_micros()))?;
                }
            }
        }
        if has_expired {
            self.expire(is_shared_due)?;
        }
        if is_shared_due { self.promote_shared(self.now) } else { Ok(()) }
    }

    /// Stores what the transaction has counted. It must be its last step.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.write_partitions()?;
        self.keep_partitions()?;
        self.write_history()
    }

    /// Returns the id of a queue for which a job is stored. Inserts the queue at its first use.
    fn queue_id(&mut self, queue: &QueueName) -> Result<i64> {
        if let Some(queue_id) = self.cache.queue_ids.get(queue) {
            return Ok(*queue_id);
        }
        let find = self.statements.get(sql::FIND_QUEUE)?;
        let found = find.query_row([queue.as_str()], |row| Ok((row.get(0)?, row.get(3)?))).optional()?;
        let queue_id = match found {
            Some((queue_id, true)) => queue_id,
            Some((queue_id, false)) => {
                self.statements.get(sql::NOTE_USE)?.execute([queue_id])?;
                queue_id
            }
            None => self
                .connection
                .prepare_cached(sql::INSERT_QUEUE)?
                .query_row([queue.as_str()], |row| row.get(0))?,
        };
        self.cache.queue_ids.insert(queue.clone(), queue_id);
        Ok(queue_id)
    }

    /// Stores a failed attempt, and removes the oldest ones beyond `AttemptError::KEPT`.
    fn record_failure(
        &mut self,
        seq: rows::Seq,
        fence: i64,
        error: &queue_core::admin::AttemptError,
    ) -> Result<()> {
        use queue_core::admin::AttemptError;
        let insert = self.statements.get(sql::INSERT_FAILURE)?;
        insert.execute((seq, fence, error.attempt, error.at.as_micros(), &error.message))?;
        // Each failure has a different fence, so a job with fewer claims has too few failures to remove any.
        if fence > to_i64(AttemptError::KEPT as u64) {
            self.statements.get(sql::TRIM_FAILURES)?.execute((seq, AttemptError::KEPT as i64))?;
        }
        Ok(())
    }

    /// Deletes a job with its payload and failures.
    fn remove(&mut self, seq: rows::Seq) -> Result<()> {
        for statement in [sql::DELETE_JOB, sql::DELETE_PAYLOAD, sql::DELETE_FAILURES] {
            self.statements.get(statement)?.execute([seq])?;
        }
        Ok(())
    }
}

/// Returns when the next job becomes due or the next lease expires, and whether any queue is shared.
pub(crate) fn next_due(connection: &Connection) -> Result<(Option<Timestamp>, bool)> {
    let mut find = connection.prepare_cached(sql::NEXT_STATE_TIME)?;
    let (mut next, mut any_shared) = (None, false);
    for state in TIMED {
        let at: Option<i64>;
        (at, any_shared) = find.query_row([state as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        next = next.into_iter().chain(at).min();
    }
    Ok((next.map(Timestamp::from_micros), any_shared))
}
