//! The transaction of a unit of work, on a connection of the pool. It ends within a bound.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::QueueError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgTransactionManager;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, raw_sql};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::{sleep, timeout};

use crate::connection::{Op, ReconnectingConnection, SpareSessions, TRANSACTION_KEEPALIVES};
use crate::error::{answer_lost, connection_died, is_connection_lost, is_server_error, timed_out};
use crate::liveness::{LivenessChecks, ServerProcess, WaitOutcome, wait_for_answer};
use crate::runtime_thread::RuntimeThread;
use crate::target::Target;

/// A statement that the job has abandoned, and that delays the rollback for this time, is cancelled.
const CANCEL_AFTER: Duration = Duration::from_millis(250);

/// If the rollback takes this time after the cancellation, the connection is closed.
const CLOSE_AFTER: Duration = Duration::from_secs(1);

/// The bound of asking the server to end an abandoned transaction.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(2);

/// A pool's connection in a transaction. If it is dropped before the transaction has ended, the connection is closed, and
/// the server rolls back.
pub(crate) struct PooledTransaction {
    connection: PoolConnection<Postgres>,
    /// The server's process, which the transaction has until it ends.
    process: Option<ServerProcess>,
    has_ended: bool,
    target: Arc<Target>,
    spares: Arc<SpareSessions>,
    thread: RuntimeThread,
}

impl PooledTransaction {
    /// Returns a transaction that has not begun.
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        target: Arc<Target>,
        spares: Arc<SpareSessions>,
        thread: RuntimeThread,
    ) -> Self {
        Self { connection, process: None, has_ended: false, target, spares, thread }
    }

    pub(super) async fn begin(&mut self) -> sqlx::Result<()> {
        PgTransactionManager::begin(&mut self.connection, None).await?;
        let setup = format!("{TRANSACTION_KEEPALIVES}; {}", ServerProcess::IDENTIFY);
        let rows = raw_sql(AssertSqlSafe(setup)).fetch_all(&mut *self.connection).await?;
        self.process = rows.last().map(ServerProcess::from_row).transpose()?;
        Ok(())
    }

    pub(crate) fn connection(&self) -> &PgConnection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs a statement within the timeout, or until the connection is found dead.
    pub(crate) async fn run<T>(
        &mut self,
        op: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>>,
    ) -> Result<T, QueueError> {
        let (target, process) = (&self.target, self.process.as_ref());
        let check_after = LivenessChecks::default().check_after;
        match wait_for_answer(target, process, check_after, target.timeout, op(&mut self.connection)).await {
            WaitOutcome::Answered(answer) => answer.map_err(|error| answer_lost(error, target)),
            WaitOutcome::TimedOut => Err(timed_out(target, target.timeout)),
            WaitOutcome::Dead => Err(connection_died(target)),
        }
    }

    /// Commits the transaction.
    pub(crate) async fn commit(mut self) -> Result<(), QueueError> {
        self.run(|connection| Box::pin(PgTransactionManager::commit(connection))).await?;
        self.has_ended = true;
        Ok(())
    }

    /// Rolls the transaction back within a bound. A statement that the job has abandoned is cancelled; if that does not
    /// help, the connection is closed.
    pub(crate) async fn roll_back(mut self) {
        let (target, process) = (self.target.clone(), self.process.clone());
        let mut rollback = pin!(finish_rollback(&mut self.connection));
        let cancel = async {
            sleep(CANCEL_AFTER).await;
            if let Some(process) = process.filter(|_| !target.behind_pooler) {
                process.signal(&target, "pg_cancel_backend").await;
            }
            sleep(CLOSE_AFTER).await;
        };
        let ended = tokio::select! {
            biased;
            ended = &mut rollback => ended,
            () = cancel => return,
        };
        if let Err(error) = ended {
            tracing::debug!(database = %target, %error, "a transaction ended with its connection");
        } else {
            self.has_ended = true;
        }
    }
}

/// Rolls back, after the remaining answer of an abandoned statement.
async fn finish_rollback(connection: &mut PgConnection) -> sqlx::Result<()> {
    for _ in 0..2 {
        match PgTransactionManager::rollback(connection).await {
            // The abandoned statement's own error.
            Err(error) if is_server_error(&error) && !is_connection_lost(&error) => {}
            ended => return ended,
        }
    }
    PgTransactionManager::rollback(connection).await
}

/// Asks the server to end the session of an abandoned transaction.
async fn terminate(process: ServerProcess, target: Arc<Target>, spares: Arc<SpareSessions>) {
    let terminate = process.signal_sql("pg_terminate_backend");
    let mut connection = ReconnectingConnection::new(target.clone(), spares);
    let terminate: Op<'_, ()> = &|connection| {
        let terminate = raw_sql(AssertSqlSafe(terminate.clone()));
        Box::pin(async move { terminate.execute(connection).await.map(drop) })
    };
    if let Ok(Err(failed)) = timeout(TERMINATE_TIMEOUT, connection.call_idempotent(terminate)).await {
        tracing::debug!(database = %target, error = ?failed.error, "an abandoned transaction could not be ended");
    }
}

impl Drop for PooledTransaction {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.connection.close_on_drop();
        // A running statement continues after its connection is closed, and keeps its locks.
        if let Some(process) = self.process.take().filter(|_| !self.target.behind_pooler) {
            let (target, spares) = (self.target.clone(), self.spares.clone());
            self.thread.spawn(terminate(process, target, spares));
        }
    }
}
