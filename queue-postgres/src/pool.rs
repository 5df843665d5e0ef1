//! The pool for units of work, whose connections are tested when a transaction begins.

mod transaction;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use queue_core::{JobContext, QueueError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Error, PgPool, Postgres};
use tokio::time::timeout;

pub(crate) use transaction::PooledTransaction;

use crate::connect::connect;
use crate::connection::SpareSessions;
use crate::error::{is_connection_lost, timed_out, to_queue_error};
use crate::runtime_thread::RuntimeThread;
use crate::target::{OptionsSource, Target};

/// The timeout of `begin`, which waits for no lock. It doubles with each try.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(1);

/// After this number of connections that did not answer in time, the server itself may be slow.
const MAX_SILENT: u32 = 3;

/// An acquire is never logged as slow.
const NO_SLOW_THRESHOLD: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The creator of the pool for units of work.
pub(crate) enum PoolSource {
    /// The application created it.
    Application(PgPool),
    /// The queue creates it, with this number of connections at most.
    Own { max_connections: u32 },
}

/// The pool for units of work.
#[derive(Clone)]
pub(crate) struct UnitOfWorkPool {
    pool: PgPool,
    /// Whether the queue created the pool; otherwise it is the application's.
    is_own: bool,
    target: Arc<Target>,
    /// End the sessions of abandoned transactions, from `thread`.
    spares: Arc<SpareSessions>,
    thread: RuntimeThread,
}

impl UnitOfWorkPool {
    /// Creates the pool. The queue's own pool connects when it is first used.
    pub(crate) fn new(
        source: PoolSource,
        target: Arc<Target>,
        spares: Arc<SpareSessions>,
        thread: RuntimeThread,
    ) -> Self {
        match source {
            PoolSource::Application(pool) => Self { pool, is_own: false, target, spares, thread },
            PoolSource::Own { max_connections } => {
                // `begin` tests the connection, and a slow acquire is normal.
                let options =
                    PgPoolOptions::new().max_connections(max_connections).test_before_acquire(false);
                let options =
                    options.acquire_timeout(target.timeout).acquire_slow_threshold(NO_SLOW_THRESHOLD);
                let pool = thread.enter(|| options.connect_lazy_with(target.options.clone()));
                Self { pool, is_own: true, target, spares, thread }
            }
        }
    }

    /// Begins a transaction. Waits until the pool has a connection: other jobs may use them all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection or returns it to the pool.
    pub(crate) async fn begin(&self, context: &JobContext) -> Result<PooledTransaction, QueueError> {
        let (mut closed, mut silent) = (0, 0);
        loop {
            let connection = self.acquire(context).await?;
            let (target, spares) = (self.target.clone(), self.spares.clone());
            let mut tx = PooledTransaction::new(connection, target, spares, self.thread.clone());
            // A pooler may delay the answer until it has a free server connection, and a slow server is slow for all.
            let is_patient = self.target.behind_pooler || silent >= MAX_SILENT;
            let bound = if is_patient { self.target.timeout } else { BEGIN_TIMEOUT * (1 << silent) };
            match timeout(bound, tx.begin()).await {
                Ok(Ok(())) => {
                    if silent > 0 {
                        self.target.dead_connection_warning.warn(&self.target);
                    }
                    return Ok(tx);
                }
                Ok(Err(error)) if is_connection_lost(&error) && closed <= self.pool.size() => {
                    tracing::debug!(database = %self.target, %error, "an idle connection was closed, using another");
                    closed += 1;
                }
                Ok(Err(error)) => return Err(to_queue_error(error, &self.target)),
                Err(_) if is_patient => return Err(timed_out(&self.target, bound)),
                Err(_) => {
                    silent += 1;
                    self.close_silent().await;
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
            connection = context.waiting(self.wait_for_connection()) => connection,
        }
    }

    async fn wait_for_connection(&self) -> Result<PoolConnection<Postgres>, QueueError> {
        if self.is_own && matches!(self.target.options_source, OptionsSource::Made(_)) {
            self.pool.set_connect_options(self.target.connect_options().await?);
        }
        loop {
            match self.pool.acquire().await {
                Ok(connection) => return Ok(connection),
                Err(Error::PoolTimedOut) if self.is_full() => {
                    tracing::debug!(database = %self.target, "all connections are in use, a unit of work is waiting for one");
                }
                // If a connection can be opened, the server is well, and other jobs were faster.
                Err(Error::PoolTimedOut) => drop(connect(&self.target).await?),
                Err(Error::PoolClosed) => {
                    let text = "the pool for units of work was closed";
                    return Err(QueueError::unavailable(text).with_source(Error::PoolClosed));
                }
                Err(error) => return Err(to_queue_error(error, &self.target)),
            }
        }
    }

    fn is_full(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.pool.options().get_max_connections()
    }

    /// Closes the idle connections that don't answer.
    async fn close_silent(&self) {
        let idle: Vec<_> = std::iter::from_fn(|| self.pool.try_acquire()).collect();
        join_all(idle.into_iter().map(|mut connection| async move {
            if !matches!(timeout(BEGIN_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                connection.close_on_drop();
            }
        }))
        .await;
    }
}
