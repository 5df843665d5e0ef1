//! The settings of a queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{BoxError, Limits, QueueError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::migrations;
use crate::pool::UnitOfWorkPool;
use crate::queue::PostgresQueue;
use crate::runtime_thread::RuntimeThread;
use crate::target::{MakeOptions, OptionsSource, Target};

/// The settings of a [`PostgresQueue`], created by [`PostgresQueue::builder`].
#[must_use = "a queue is opened by `connect`"]
#[derive(Clone)]
pub struct PostgresQueueBuilder {
    pub(crate) source: Source,
    pub(crate) make_options: Option<MakeOptions>,
    pub(crate) schema: String,
    pub(crate) migrates: bool,
    pub(crate) behind_pooler: bool,
    pub(crate) timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) unit_connections: u32,
    pub(crate) retention: Prune,
    pub(crate) limits: Limits,
}

/// How to connect to the server.
#[derive(Clone)]
pub(crate) enum Source {
    /// By a URL, which is parsed when the queue connects.
    Url(String),
    /// With the options of a pool.
    Pool(PgPool),
    /// With the driver's own options.
    Options(Box<PgConnectOptions>),
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The server counts milliseconds in 32 bits.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The driver reserves memory for each connection that a pool may have.
const MAX_UNIT_CONNECTIONS: u32 = 10_000;

impl PostgresQueueBuilder {
    pub(crate) fn new(source: Source) -> Self {
        let mut retention = Prune::nothing();
        retention.completed = Some(DAY);
        retention.cancelled = Some(DAY);
        retention.discarded = Some(DAY * 7);
        Self {
            source,
            make_options: None,
            schema: "queue".to_owned(),
            migrates: true,
            behind_pooler: false,
            timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            unit_connections: 10,
            retention,
            limits: Limits::default(),
        }
    }

    /// Sets the schema, `queue` by default. Nothing else should be in it. Each schema is a queue of its own.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets whether connecting migrates the schema, `true` by default. With `false`, connecting only checks that the
    /// schema is up to date; migrate it separately, as a user with more rights or by hand.
    pub fn migrate(mut self, migrates: bool) -> Self {
        self.migrates = migrates;
        self
    }

    /// Sets whether a pooler in transaction mode such as PgBouncer is in between, `false` by default. With one, the queue
    /// keeps no state in a session: no prepared statements, no `LISTEN`. Each call then takes two more round trips to the
    /// server, and jobs of other processes are found by polling.
    pub fn transaction_pooler(mut self, behind_pooler: bool) -> Self {
        self.behind_pooler = behind_pooler;
        self
    }

    /// Changes the connect options for each new connection, for credentials that change while the program runs.
    ///
    /// The queue calls `options` before it opens a connection, with the options that the builder was created with, and
    /// connects with the options that it returns. `options` must not block, and should answer from a cache: a burst of
    /// jobs may open several connections at once. If it fails, the call is `Unavailable`, and the queue retries as if the
    /// server were down.
    ///
    /// A queue [from a pool](PostgresQueue::pool_builder) doesn't need this: it uses the options that the pool has at the
    /// time, so call [`Pool::set_connect_options`](sqlx::Pool::set_connect_options).
    ///
    /// ```no_run
    /// # use queue_postgres::PostgresQueue;
    /// # async fn fresh_token() -> Result<String, queue_core::BoxError> { Ok(String::new()) }
    /// # async fn example() -> Result<(), queue_core::QueueError> {
    /// let queue = PostgresQueue::builder("postgres://worker@db.example.com/shop")
    ///     .connect_options_with(|options| async move { Ok(options.password(&fresh_token().await?)) })
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_options_with<F, O>(mut self, options: F) -> Self
    where
        F: Fn(PgConnectOptions) -> O + Send + Sync + 'static,
        O: Future<Output = Result<PgConnectOptions, BoxError>> + Send + 'static,
    {
        self.make_options = Some(Arc::new(move |of| Box::pin(options(of))));
        self
    }

    /// Sets how long a call waits for its answer before it is `Unavailable`: 30 s by default. Opening the queue waits as
    /// long for its first connection. A call waits an eighth of it for a connection: 3.75 s by default.
    ///
    /// The server has the same timeout, and cancels a statement that takes longer, so a push that was given up isn't
    /// stored later. Only if the connection breaks is it unknown whether the call was done.
    ///
    /// A connection that is dead without having been closed is noticed sooner: if a statement takes longer than 1.5 s,
    /// the queue asks the server over another connection whether it works on the statement, and gives the call up if it
    /// doesn't. RenewConnections are bounded by a part of the leases that they renew. Times above 24 days count as 24 days.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets how often waiting claims poll for jobs of other processes, varied by a fifth; every second by default, at
    /// least 10 ms.
    ///
    /// Polling is a fallback for when LISTEN/NOTIFY does not work. While notifications arrive, the interval is ten times
    /// longer. Jobs pushed by this process start at once, and scheduled jobs start when they are due, without a poll.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Sets the maximum number of connections for [units of work](crate::PostgresUnitOfWork), 10 by default. It bounds
    /// how many jobs with a unit of work run at once; others wait. Ignored for a queue [from a
    /// pool](PostgresQueue::from_pool), which uses that pool.
    ///
    /// The number is at least 1 and at most 10,000. The queue's own connections are few at any load: two that store, one
    /// that claims, one that settles, one or two that renew, one that listens, one that notifies, one that prunes, and
    /// one for operators. While other transactions block pushes or settlements, one more stores and one more settles.
    /// Each is opened when it is first needed.
    pub fn unit_connections(mut self, connections: u32) -> Self {
        self.unit_connections = connections.clamp(1, MAX_UNIT_CONNECTIONS);
        self
    }

    /// Sets how long completed jobs are kept; a day by default, `None` for ever.
    pub fn keep_completed(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.completed = age.into();
        self
    }

    /// Sets how long cancelled jobs are kept; a day by default, `None` for ever.
    pub fn keep_cancelled(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.cancelled = age.into();
        self
    }

    /// Sets how long discarded jobs are kept; seven days by default, `None` for ever.
    pub fn keep_discarded(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.discarded = age.into();
        self
    }

    /// Sets the limits of payloads, meta and batches.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects, and migrates the schema if necessary.
    ///
    /// # Errors
    ///
    /// `Invalid` for an invalid URL or schema name, `Unavailable` if the server can't be reached or refuses the user,
    /// `Unsupported` if the schema is newer than this program, or older and must not be migrated.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema made.
    pub async fn connect(self) -> Result<PostgresQueue, QueueError> {
        PostgresQueue::start(self).await
    }

    /// Migrates the schema without opening the queue. Concurrent calls migrate it once.
    ///
    /// The user needs the right to create the schema in the database, or must own it.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each version whole or absent.
    pub async fn migrate_now(self) -> Result<(), QueueError> {
        let target = self.target()?;
        RuntimeThread::run_on_own_thread(async move { migrations::migrate(&target).await }).await
    }

    pub(crate) fn target(&self) -> Result<Target, QueueError> {
        let options = match &self.source {
            Source::Url(url) => Target::parse(url)?,
            Source::Pool(pool) => (*pool.connect_options()).clone(),
            Source::Options(options) => (**options).clone(),
        };
        let options_source = match (&self.make_options, &self.source) {
            (Some(make), _) => OptionsSource::Made(make.clone()),
            (None, Source::Pool(pool)) => OptionsSource::Pool(pool.clone()),
            (None, Source::Url(_) | Source::Options(_)) => OptionsSource::Fixed,
        };
        let target = Target {
            options,
            options_source,
            schema: self.schema.as_str().into(),
            behind_pooler: self.behind_pooler,
            timeout: self.timeout,
            dead_connection_warning: Arc::default(),
        };
        target.prepare()
    }

    /// Returns the pool for units of work. The queue's own pool connects when it is first used.
    pub(crate) fn pool(&self, target: &Arc<Target>, thread: &RuntimeThread) -> UnitOfWorkPool {
        let (pool, is_own) = match &self.source {
            Source::Pool(pool) => (pool.clone(), false),
            Source::Url(_) | Source::Options(_) => {
                // `begin` tests the connection, and a slow acquire is normal.
                let options =
                    PgPoolOptions::new().max_connections(self.unit_connections).test_before_acquire(false);
                let options = options.acquire_timeout(self.timeout).acquire_slow_threshold(MAX_TIMEOUT);
                (options.connect_lazy_with(target.options.clone()), true)
            }
        };
        UnitOfWorkPool { pool, is_own, target: target.clone(), thread: thread.clone() }
    }
}

impl fmt::Debug for PostgresQueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("PostgresQueueBuilder")
            .field("schema", &self.schema)
            .field("migrates", &self.migrates)
            .field("behind_pooler", &self.behind_pooler)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
