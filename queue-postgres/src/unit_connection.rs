//! The connection of a unit of work: one of the pool, in a transaction that ends within a bound.

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

/// The bound of a transaction's beginning, which waits for nothing; twice the time at the next try.
const BEGIN: Duration = Duration::from_secs(1);

/// A rollback that takes longer waits for a statement that the job left behind, which is then cancelled.
const ROLLBACK: Duration = Duration::from_millis(250);

/// The bound of the rollback after that; then the connection is closed.
const CANCELLED_ROLLBACK: Duration = Duration::from_secs(1);

/// After this number of connections that did not answer soon, it may be the server that is slow.
const SILENT: u32 = 3;

/// The pool that units of work are begun in.
#[derive(Clone)]
pub(crate) struct Units {
    pub(crate) pool: PgPool,
    /// Whether the queue made the pool; otherwise it's the application's.
    pub(crate) is_ours: bool,
    pub(crate) place: Arc<Place>,
    pub(crate) io: Io,
}

/// A pool's connection in a transaction. If it is dropped before the transaction has ended, it is closed, and the server
/// rolls back.
pub(crate) struct UnitConnection {
    connection: PoolConnection<Postgres>,
    /// The server's process, which has the transaction until that ends.
    backend: Option<Backend>,
    has_ended: bool,
    place: Arc<Place>,
    io: Io,
}

impl Units {
    /// Begins a transaction, as soon as the pool has a connection for it: other jobs may have them all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection or puts it back.
    pub(crate) async fn begin(&self, context: &JobContext) -> Result<UnitConnection, QueueError> {
        let (mut closed, mut silent) = (0, 0);
        loop {
            let connection = self.acquire(context).await?;
            let (place, io) = (self.place.clone(), self.io.clone());
            let mut unit = UnitConnection { connection, backend: None, has_ended: false, place, io };
            // A pooler may let it wait for its turn, and a server may be slow for all.
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
                    tracing::debug!(place = %self.place, %error, "an idle connection was closed; another is used");
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

    /// Waits for a connection for as long as the attempt lives. The attempt's timeout stands still meanwhile.
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
                    tracing::debug!(place = %self.place, "a unit of work waits for a connection that others have");
                }
                // If a connection can be opened, it was only that others were faster.
                Err(Error::PoolTimedOut) => drop(self.place.connect().await?),
                Err(Error::PoolClosed) => {
                    let text = "the pool that units of work are begun in was closed";
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

    /// Asks something within the timeout, and no longer than the connection lives.
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

    /// Rolls the transaction back within a bound. A statement that the job left behind is cancelled; if that does not help,
    /// the connection is closed.
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

/// Rolls back, after what is left of a statement that was given up.
async fn rolled_back(connection: &mut PgConnection) -> sqlx::Result<()> {
    for _ in 0..2 {
        match PgTransactionManager::rollback(connection).await {
            // The statement's own failure.
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
        // A statement that runs goes on after the connection is closed, and holds its locks.
        if let Some(backend) = self.backend.take().filter(|_| !self.place.is_pooled) {
            let place = self.place.clone();
            self.io.keep_running(async move { backend.signal(&place, "pg_terminate_backend").await });
        }
    }
}
