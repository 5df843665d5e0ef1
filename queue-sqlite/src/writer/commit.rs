//! Runs operations in a transaction and commits it.

use std::time::{Duration, Instant};

use queue_core::backend::ServedClaim;

use super::Writer;
use super::deadline::Deadline;
use super::message::Operation;
use crate::error::{TxError, is_busy};
use crate::table::{EndedAttempts, Table};

/// The claims that a transaction served. They are answered after its commit.
pub(super) type Served = Vec<ServedClaim<Deadline>>;

/// The kinds of transaction, by their work beside the operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum TransactionKind {
    /// It serves the claims that wait, and prunes.
    Shared,
    /// It does nothing else.
    Exclusive,
}

impl Writer {
    /// Runs operations in a transaction and commits it. Returns the claims that it served, which still wait for their answers.
    pub(super) async fn run_in_transaction(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        kind: TransactionKind,
    ) -> Result<Served, TxError> {
        if !self.connection.is_autocommit() {
            // The rollback of an earlier transaction failed.
            self.run_statement("rollback")?;
        }
        if self.files_moved {
            self.check_files()?;
        }
        self.begin().await?;
        let mut served = Vec::new();
        let written = self.run_operations(operations, kind, &mut served);
        let ended =
            written.and_then(|()| Ok(self.run_statement("commit")?)).and_then(|()| self.check_files());
        // Before the next transaction, another program may change the ids of queues.
        self.cache.queue_ids.clear();
        let expired = std::mem::take(&mut self.cache.expired);
        if let Err(error) = ended {
            if !self.connection.is_autocommit() {
                drop(self.connection.execute_batch("rollback"));
            }
            self.cache.forget_partitions();
            self.waiting.claims.restore(served);
            return Err(error);
        }
        expired.iter().for_each(|job| self.expiries.report(job));
        Ok(served)
    }

    /// Checks that other programs find the files that this connection writes to.
    pub(super) fn check_files(&mut self) -> Result<(), TxError> {
        let checked = self.files.check();
        self.files_moved = checked.is_err();
        Ok(checked?)
    }

    /// Begins a transaction with the write lock. Waits up to the busy timeout while another connection holds the lock.
    pub(super) async fn begin(&self) -> Result<(), TxError> {
        let began = Instant::now();
        loop {
            match self.run_statement("begin immediate") {
                Err(error) if is_busy(&error) && began.elapsed() < self.settings.busy_timeout => {
                    // A random pause, so that processes which wait for the lock do not retry in step.
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(50..1_000))).await;
                }
                answer => return Ok(answer?),
            }
        }
    }

    pub(super) fn run_statement(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Runs operations in the open transaction. Adds the claims that it serves to `served`.
    fn run_operations(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        kind: TransactionKind,
        served: &mut Served,
    ) -> Result<(), TxError> {
        // A transaction that failed may have left some.
        self.cache.ended = EndedAttempts::default();
        let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.cache);
        table.reuse_partitions()?;
        table.advance()?;
        for operation in operations {
            operation.run(&mut table)?;
        }
        if let TransactionKind::Shared = kind {
            // Every transaction tries all claims: a job for them may come from this transaction or from another process. An
            // attempt that finds no job takes a few microseconds.
            self.waiting.claims.serve(served, |claim| {
                if claim.is_over() { Ok(Vec::new()) } else { table.claim(&claim.demand) }
            })?;
            self.pruning.prune(&mut table)?;
        }
        Ok(table.finish()?)
    }
}
