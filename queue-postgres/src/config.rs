//! The settings of a queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{BoxError, Limits, QueueError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::io::Io;
use crate::place::{MakeOptions, Place, Source};
use crate::queue::PostgresQueue;
use crate::unit_connection::Units;

/// Settings of a [`PostgresQueue`]; made by [`PostgresQueue::builder`].
#[must_use = "a queue is opened by `connect`"]
#[derive(Clone)]
pub struct PostgresQueueBuilder {
    pub(crate) target: Target,
    pub(crate) make_options: Option<MakeOptions>,
    pub(crate) schema: String,
    pub(crate) migrates: bool,
    pub(crate) is_pooled: bool,
    pub(crate) timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) unit_connections: u32,
    pub(crate) retention: Prune,
    pub(crate) limits: Limits,
}

/// How the server is reached.
#[derive(Clone)]
pub(crate) enum Target {
    /// By a URL, which is read when it's connected to.
    Url(String),
    /// As another pool does.
    Pool(PgPool),
    /// By the driver's own options.
    Options(Box<PgConnectOptions>),
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The server counts milliseconds in 32 bits.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The driver reserves memory for each connection that a pool may have.
const MOST_UNIT_CONNECTIONS: u32 = 10_000;

impl PostgresQueueBuilder {
    pub(crate) fn new(target: Target) -> Self {
        let mut retention = Prune::nothing();
        retention.completed = Some(DAY);
        retention.cancelled = Some(DAY);
        retention.discarded = Some(DAY * 7);
        Self {
            target,
            make_options: None,
            schema: "queue".to_owned(),
            migrates: true,
            is_pooled: false,
            timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            unit_connections: 10,
            retention,
            limits: Limits::default(),
        }
    }

    /// Keeps the jobs in another schema than `queue`, in which nothing else should be. Each schema is a queue of its own.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Says whether connecting brings the schema up to date, which it does by default. Where that is done apart, by a user
    /// with more rights or by hand, connecting only looks whether it's done.
    pub fn migrate(mut self, migrates: bool) -> Self {
        self.migrates = migrates;
        self
    }

    /// Keeps nothing with a connection, for a pooler in transaction mode such as PgBouncer: no prepared statements, no
    /// `LISTEN`. Each call takes two more trips to the server then, and jobs of other processes are found by looking.
    pub fn transaction_pooler(mut self, is_pooled: bool) -> Self {
        self.is_pooled = is_pooled;
        self
    }

    /// Changes the connect options for each new connection, for credentials that change while the program runs.
    ///
    /// `options` is called with the options that the builder was made with, whenever a connection is about to be opened, and
    /// returns those to open it with. It must not block, and it should answer from a cache: a burst of jobs may open several
    /// connections at once. An error of it is `Unavailable`, and the queue tries again as if the server were away.
    ///
    /// A queue [from a pool](PostgresQueue::pool_builder) needs none: it uses the options that the pool has at the time, so
    /// call [`Pool::set_connect_options`](sqlx::Pool::set_connect_options).
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

    /// Sets how long a call waits for its answer before it is `Unavailable`: 30 s by default. Opening the queue waits as long
    /// for its first connection, and a call an eighth of it for one: 3.75 s by default.
    ///
    /// The server is told, and ends what takes longer: a push that was given up isn't stored later. Only where the
    /// connection itself breaks is it in doubt what was done.
    ///
    /// A connection that is dead without having been closed is noticed sooner: a statement that takes longer than 1.5 s is
    /// asked about over another connection, and given up if the server does not work on it. Renewals are bounded by a part
    /// of the leases that they renew. Times above 24 days are taken for 24 days.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// Looks so often for jobs of other processes while a claim waits, varied by a fifth; every second by default.
    ///
    /// It's what remains where notifications can't be heard. Where they are, it's looked a tenth as often. What this
    /// process pushes itself is seen at once, and what becomes due is seen when it is. The least is 10 ms.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Opens so many connections at most for [units of work](crate::PostgresUnitOfWork), 10 by default; of a queue
    /// [from a pool](PostgresQueue::from_pool) they use that one. So many jobs with one run at once; others wait.
    ///
    /// The queue's own connections are few, whatever the load: two that store, one that claims, one that settles, one or two
    /// that renew, one that listens, one that notifies, one that prunes, and one for operators; each is opened when it's
    /// first needed. The number is at least 1 and at most 10,000.
    pub fn unit_connections(mut self, connections: u32) -> Self {
        self.unit_connections = connections.clamp(1, MOST_UNIT_CONNECTIONS);
        self
    }

    /// Keeps completed jobs for so long; a day by default, `None` for ever.
    pub fn keep_completed(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.completed = age.into();
        self
    }

    /// Keeps cancelled jobs for so long; a day by default, `None` for ever.
    pub fn keep_cancelled(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.cancelled = age.into();
        self
    }

    /// Keeps discarded jobs for so long; seven days by default, `None` for ever.
    pub fn keep_discarded(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.discarded = age.into();
        self
    }

    /// Sets other limits than the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects, and brings the schema up to date if need be.
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL or a name that can't be, `Unavailable` for a server that can't be reached or refuses the user,
    /// `Unsupported` for a schema that is newer than this program, or older and not to be migrated.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema made.
    pub async fn connect(self) -> Result<PostgresQueue, QueueError> {
        PostgresQueue::start(self).await
    }

    /// Brings the schema up to date without opening the queue, once, however many do so at the same time.
    ///
    /// The user needs the right to create the schema in the database, or owns it.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each version whole or absent.
    pub async fn migrate_now(self) -> Result<(), QueueError> {
        let place = self.place()?;
        Io::run_apart(async move { crate::migrations::migrate(&place).await }).await
    }

    pub(crate) fn place(&self) -> Result<Place, QueueError> {
        let options = match &self.target {
            Target::Url(url) => Place::parse(url)?,
            Target::Pool(pool) => (*pool.connect_options()).clone(),
            Target::Options(options) => (**options).clone(),
        };
        let source = match (&self.make_options, &self.target) {
            (Some(make), _) => Source::Made(make.clone()),
            (None, Target::Pool(pool)) => Source::Pool(pool.clone()),
            (None, Target::Url(_) | Target::Options(_)) => Source::Fixed,
        };
        let (schema, is_pooled, timeout) = (self.schema.as_str().into(), self.is_pooled, self.timeout);
        Place { options, source, schema, is_pooled, timeout, alarm: Arc::default() }.prepared()
    }

    /// Returns the pool that units of work are begun in; one of the queue's own connects when it's first used.
    pub(crate) fn units(&self, place: &Arc<Place>, io: &Io) -> Units {
        let (pool, is_ours) = match &self.target {
            Target::Pool(pool) => (pool.clone(), false),
            Target::Url(_) | Target::Options(_) => {
                // A connection is tested by the transaction that begins on it, and a wait for one is no news.
                let options =
                    PgPoolOptions::new().max_connections(self.unit_connections).test_before_acquire(false);
                let options = options.acquire_timeout(self.timeout).acquire_slow_threshold(LONGEST_TIMEOUT);
                (options.connect_lazy_with(place.options.clone()), true)
            }
        };
        Units { pool, is_ours, place: place.clone(), io: io.clone() }
    }
}

impl fmt::Debug for PostgresQueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL has a password in it.
        f.debug_struct("PostgresQueueBuilder")
            .field("schema", &self.schema)
            .field("migrates", &self.migrates)
            .field("is_pooled", &self.is_pooled)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
