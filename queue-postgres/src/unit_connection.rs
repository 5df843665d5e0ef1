//! The connection of a unit of work: a connection of the pool, in a transaction that ends within a bound.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use queue_core::{JobContext, QueueError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgTransactionManager};
use sqlx::{AssertSqlSafe, Connection as _, Error, PgConnection, Postgres, raw_sql};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::{sleep, timeout};

use crate::error::{broken, explained, is_connection_lost, is_of_the_server};
use crate::io::Io;
use crate::link::{KEEPALIVES_OF_A_TRANSACTION, Pace, died, unanswered};
use crate::place::{Place, Source};
use crate::pulse::{Backend, Waited, watched};

/// The bound of `begin`, which waits for no lock. It doubles with each try.
const BEGIN: Duration = Duration::from_secs(1);

/// After this time, a rollback waits for a statement that the job has abandoned, which is then cancelled.
const ROLLBACK: Duration = Duration::from_millis(250);

/// The bound of the rollback after the cancellation. After it, the connection is closed.
const CANCELLED_ROLLBACK: Duration = Duration::from_secs(1);

/// After this number of connections that did not answer in time, the server itself may be slow.
const SILENT: u32 = 3;

/// The pool for units of work.
#[derive(Clone)]
pub(crate) struct Units {
    pub(crate) pool: PgPool,
    /// Whether the queue created the pool; otherwise it is the application's.
    pub(crate) is_ours: bool,
    pub(crate) place: Arc<Place>,
    pub(crate) io: Io,
}

/// A pool's connection in a transaction. If it is dropped before the transaction has ended, the connection is closed, and
/// the server rolls back.
pub(crate) struct UnitConnection {
    connection: PoolConnection<Postgres>,
    /// The server's process, which the transaction has until it ends.
    backend: Option<Backend>,
    has_ended: bool,
    place: Arc<Place>,
    io: Io,
}

impl Units {
    /// Begins a transaction. Waits until the pool has a connection: other jobs may use them all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection or returns it to the pool.
    pub(crate) async fn begin(&self, context: &JobContext) -> Result<UnitConnection, QueueError> {
        let (mut closed, mut silent) = (0, 0);
        loop {
            let connection = self.acquire(context).await?;
            let (place, io) = (self.place.clone(), self.io.clone());
            let mut unit = UnitConnection { connection, backend: None, has_ended: false, place, io };
            // A pooler may delay the answer until it has a free server connection, and a slow server is slow for all.
            let is_patient = self.place.is_pooled || silent >= SILENT;
            let bound = if is_patient { self.place.timeout } else { BEGIN * (1 << silent) };
            match timeout(bound, unit.start()).await {
                Ok(Ok(())) => {
                    if silent > 0 {
                        self.place.alarm.raise(&self.place);
                    }
                    return Ok(unit);
                }
                Ok(Err(error)) if is_connection_lost(&error) && closed <= self.pool.size() => {
                    tracing::debug!(place = %self.place, %error, "an idle connection was closed, using another");
                    closed += 1;
                }
                Ok(Err(error)) => return Err(explained(error, &self.place)),
                Err(_) if is_patient => return Err(unanswered(&self.place, bound)),
                Err(_) => {
                    silent += 1;
                    self.test_idle().await;
                }
            }
        }
    }

    /// Waits for a connection until the attempt is cancelled. The attempt's timeout is suspended meanwhile.
    async fn acquire(&self, context: &JobContext) -> Result<PoolConnection<Postgres>, QueueError> {
        if let Some(connection) = self.pool.try_acquire() {
            return Ok(connection);
        }
        tokio::select! {
            biased;
            () = context.token().cancelled() => Err(QueueError::unavailable(
                "the attempt was interrupted while it waited for a connection for its unit of work",
            )),
            connection = context.waiting(self.wait()) => connection,
        }
    }

    async fn wait(&self) -> Result<PoolConnection<Postgres>, QueueError> {
        if self.is_ours && matches!(self.place.source, Source::Made(_)) {
            self.pool.set_connect_options(self.place.connect_options().await?);
        }
        loop {
            match self.pool.acquire().await {
                Ok(connection) => return Ok(connection),
                Err(Error::PoolTimedOut) if self.is_full() => {
                    tracing::debug!(place = %self.place, "all connections are in use, a unit of work is waiting for one");
                }
                // If a connection can be opened, the server is well, and other jobs were faster.
                Err(Error::PoolTimedOut) => drop(self.place.connect().await?),
                Err(Error::PoolClosed) => {
                    let text = "the pool for units of work was closed";
                    return Err(QueueError::unavailable(text).with_source(Error::PoolClosed));
                }
                Err(error) => return Err(explained(error, &self.place)),
            }
        }
    }

    fn is_full(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.pool.options().get_max_connections()
    }

    /// Closes the idle connections that don't answer.
    async fn test_idle(&self) {
        let idle: Vec<_> = std::iter::from_fn(|| self.pool.try_acquire()).collect();
        join_all(idle.into_iter().map(|mut connection| async move {
            if !matches!(timeout(BEGIN, connection.ping()).await, Ok(Ok(()))) {
                connection.close_on_drop();
            }
        }))
        .await;
    }
}

impl UnitConnection {
    async fn start(&mut self) -> sqlx::Result<()> {
        PgTransactionManager::begin(&mut self.connection, None).await?;
        let begin = format!("{KEEPALIVES_OF_A_TRANSACTION}; {}", Backend::IDENTIFY);
        let rows = raw_sql(AssertSqlSafe(begin)).fetch_all(&mut *self.connection).await?;
        self.backend = rows.last().map(Backend::read).transpose()?;
        Ok(())
    }

    pub(crate) fn connection(&self) -> &PgConnection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs a statement within the timeout, or until the connection is found dead.
    pub(crate) async fn ask<T>(
        &mut self,
        ask: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>>,
    ) -> Result<T, QueueError> {
        let (place, backend) = (&self.place, self.backend.as_ref());
        match watched(place, backend, Pace::default().check, place.timeout, ask(&mut self.connection)).await {
            Waited::Answered(answer) => answer.map_err(|error| broken(error, place)),
            Waited::TooLong => Err(unanswered(place, place.timeout)),
            Waited::Dead => Err(died(place)),
        }
    }

    /// Commits the transaction.
    pub(crate) async fn commit(mut self) -> Result<(), QueueError> {
        self.ask(|connection| Box::pin(PgTransactionManager::commit(connection))).await?;
        self.has_ended = true;
        Ok(())
    }

    /// Rolls the transaction back within a bound. A statement that the job has abandoned is cancelled; if that does not
    /// help, the connection is closed.
    pub(crate) async fn roll_back(mut self) {
        let (place, backend) = (self.place.clone(), self.backend.clone());
        let mut rollback = pin!(rolled_back(&mut self.connection));
        let cancel = async {
            sleep(ROLLBACK).await;
            if let Some(backend) = backend.filter(|_| !place.is_pooled) {
                backend.signal(&place, "pg_cancel_backend").await;
            }
            sleep(CANCELLED_ROLLBACK).await;
        };
        let ended = tokio::select! {
            biased;
            ended = &mut rollback => ended,
            () = cancel => return,
        };
        match ended {
            Ok(()) => self.has_ended = true,
            Err(error) => tracing::debug!(%place, %error, "a transaction ended with its connection"),
        }
    }
}

/// Rolls back, after the remaining answer of an abandoned statement.
async fn rolled_back(connection: &mut PgConnection) -> sqlx::Result<()> {
    for _ in 0..2 {
        match PgTransactionManager::rollback(connection).await {
            // The abandoned statement's own error.
            Err(error) if is_of_the_server(&error) && !is_connection_lost(&error) => {}
            ended => return ended,
        }
    }
    PgTransactionManager::rollback(connection).await
}

impl Drop for UnitConnection {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.connection.close_on_drop();
        // A running statement continues after its connection is closed, and keeps its locks.
        if let Some(backend) = self.backend.take().filter(|_| !self.place.is_pooled) {
            let place = self.place.clone();
            self.io.keep_running(async move { backend.signal(&place, "pg_terminate_backend").await });
        }
    }
}
