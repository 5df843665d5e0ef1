//! The settings of a queue.

use std::fmt;
use std::time::Duration;

use queue_core::inspect::Prune;
use queue_core::{Limits, QueueError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::place::Place;
use crate::queue::PostgresQueue;

/// Settings of a [`PostgresQueue`]; made by [`PostgresQueue::builder`].
#[must_use = "a queue is opened by `connect`"]
#[derive(Clone)]
pub struct PostgresQueueBuilder {
    pub(crate) target: Target,
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

impl PostgresQueueBuilder {
    pub(crate) fn new(target: Target) -> Self {
        let mut retention = Prune::nothing();
        retention.completed = Some(DAY);
        retention.cancelled = Some(DAY);
        retention.discarded = Some(DAY * 7);
        Self {
            target,
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

    /// Waits so long for a connection, and for each answer, before a call is `Unavailable`; 30 s by default.
    ///
    /// The server is told, and ends what takes longer: a push that was given up isn't stored later. Only where the
    /// connection itself breaks is it in doubt what was done.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
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

    /// Opens so many connections at most for [units of work](crate::PgUnitOfWork), 10 by default; of a queue
    /// [from a pool](PostgresQueue::from_pool) they use that one. So many jobs with one run at once; others wait.
    ///
    /// The queue's own connections are few, whatever the load: two that store, one that works, one that renews, one that
    /// listens, one that prunes, and one for what seldom happens; each is opened when it's first needed.
    pub fn unit_connections(mut self, connections: u32) -> Self {
        self.unit_connections = connections.max(1);
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
        let io = crate::io::Io::start(|_| std::future::pending());
        io?.run(async move { crate::migrations::migrate(&place).await }).await
    }

    pub(crate) fn place(&self) -> Result<Place, QueueError> {
        let options = match &self.target {
            Target::Url(url) => Place::parse(url)?,
            Target::Pool(pool) => (*pool.connect_options()).clone(),
            Target::Options(options) => (**options).clone(),
        };
        let (schema, is_pooled, timeout) = (self.schema.as_str().into(), self.is_pooled, self.timeout);
        Place { options, schema, is_pooled, timeout }.prepared()
    }

    /// Gives the pool that units of work are begun in, on the application's runtime; it connects when it's first used.
    pub(crate) fn unit_pool(&self, place: &Place) -> PgPool {
        match &self.target {
            Target::Pool(pool) => pool.clone(),
            Target::Url(_) | Target::Options(_) => PgPoolOptions::new()
                .max_connections(self.unit_connections)
                .acquire_timeout(self.timeout)
                .connect_lazy_with(place.options.clone()),
        }
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
