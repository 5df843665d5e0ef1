//! The settings of a queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{PushHooks, RetentionPeriods, SchemaStatus};
use queue_core::{BoxError, Limits, NewJob, QueueError, Timestamp};
use sqlx::postgres::PgConnectOptions;

use crate::migrations;
use crate::pool::PoolSource;
use crate::queue::PostgresQueue;
use crate::runtime_thread::RuntimeThread;
use crate::settings::Settings;
use crate::source::Source;
use crate::target::{MakeOptions, OptionsSource, Target};

/// The settings of a [`PostgresQueue`], created by [`PostgresQueue::builder`].
#[must_use = "a queue is opened by `connect`"]
#[derive(Clone)]
pub struct PostgresQueueBuilder {
    source: Source,
    make_options: Option<MakeOptions>,
    schema: String,
    run_migrations: bool,
    behind_pooler: bool,
    timeout: Duration,
    poll_interval: Duration,
    unit_of_work_connections: u32,
    retention: RetentionPeriods,
    limits: Limits,
    hooks: PushHooks,
    test_clock: Option<Timestamp>,
}

/// The server counts milliseconds in 32 bits.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The driver reserves memory for each connection that a pool may have.
const MAX_UNIT_OF_WORK_CONNECTIONS: u32 = 10_000;

impl PostgresQueueBuilder {
    fn new(source: Source) -> Self {
        Self {
            source,
            make_options: None,
            schema: "queue".to_owned(),
            run_migrations: true,
            behind_pooler: false,
            timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            unit_of_work_connections: 10,
            retention: RetentionPeriods::default(),
            limits: Limits::default(),
            hooks: PushHooks::default(),
            test_clock: None,
        }
    }

    /// Sets the schema, `queue` by default. Nothing else should be in it. Each schema is a queue of its own.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets whether connecting migrates the schema, `true` by default. With `false`, connecting only checks that the
    /// schema is up to date; [migrate](Self::migrate) it separately, as a user with more rights, or by hand.
    pub fn run_migrations(mut self, run_migrations: bool) -> Self {
        self.run_migrations = run_migrations;
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
    /// A queue [from a pool](PostgresQueue::builder) doesn't need this: it uses the options that the pool has at the
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
    /// The server has the same timeout, and cancels a statement that takes longer, so an abandoned push isn't
    /// stored later. If the connection breaks, it is unknown whether the call was done.
    ///
    /// A connection that is dead without having been closed is noticed sooner: if a statement takes longer than 1.5 s,
    /// the queue asks the server over another connection whether it works on the statement, and abandons the call if it
    /// doesn't. Renewals are bounded by a part of the leases that they renew. Times above 24 days count as 24 days.
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
    /// pool](PostgresQueue::builder), which uses that pool.
    ///
    /// The number is at least 1 and at most 10,000. The queue's own connections are few at any load: two that store pushes
    /// of many callers, one that stores lone pushes, one that claims, one that settles, one or two that renew, one that
    /// listens, one that notifies, one that prunes, and one for operators. While other transactions block pushes or
    /// settlements, one more stores and one more settles. Each is opened when it is first needed. That of lone pushes is
    /// on the application's runtime, and behind a pooler there is none.
    pub fn unit_of_work_connections(mut self, connections: u32) -> Self {
        self.unit_of_work_connections = connections.clamp(1, MAX_UNIT_OF_WORK_CONNECTIONS);
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

    /// Adds a function that sees each job before it is stored, and may change it, for example to add a trace context to its meta.
    /// The function sees the jobs of `push`, `enqueue` and `enqueue_in`. It does not see followups, which inherit the meta of their
    /// job. Functions run in the order in which they were added, in the task of the caller.
    pub fn on_push(mut self, hook: impl Fn(&mut NewJob) + Send + Sync + 'static) -> Self {
        self.hooks.add(hook);
        self
    }

    /// Sets the limits of payloads, meta and batches.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the schema's clock with one that starts at `start` and stands still until a test moves it, by
    /// [`Admin::test_clock`](queue_core::Admin::test_clock). `queue_testkit::TestKit::over` moves it.
    ///
    /// Use it for a schema of the test's own: from then on, all programs that use the schema see this time. If the schema already
    /// has such a clock, the clock keeps its time. The queue prunes finished jobs by this clock, unless it
    /// [keeps](Self::keep_completed) them.
    ///
    /// Opening a connection takes longer than most calls of a test. So the calls of such a queue share its idle connections, and
    /// successive calls use a single one.
    pub fn test_clock(mut self, start: Timestamp) -> Self {
        self.test_clock = Some(start);
        self
    }

    /// Connects, and migrates the schema if necessary.
    ///
    /// # Errors
    ///
    /// `Invalid` for an invalid URL or schema name, or if a [test clock](Self::test_clock) would replace the clock of stored
    /// jobs, `Unavailable` if the server can't be reached or refuses the user,
    /// `Unsupported` if the schema is newer than this program, or older and must not be migrated.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema created.
    pub async fn connect(self) -> Result<PostgresQueue, QueueError> {
        PostgresQueue::open(self.settings()?).await
    }

    /// Migrates the schema without opening the queue. Concurrent calls migrate it once.
    ///
    /// The user needs the right to create the schema in the database, or must own it. To migrate by hand, run the SQL in
    /// `queue-postgres/migrations` and `queue-postgres/functions`.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each version whole or absent.
    pub async fn migrate(self) -> Result<(), QueueError> {
        let target = self.target()?;
        RuntimeThread::run_on_own_thread(async move { migrations::migrate_alone(&target).await }).await
    }

    /// Returns the version of the schema, and the SQL that it lacks, with its functions. Creates and changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn schema_status(self) -> Result<SchemaStatus, QueueError> {
        let target = self.target()?;
        RuntimeThread::run_on_own_thread(async move { migrations::status(&target).await }).await
    }

    fn settings(self) -> Result<Settings, QueueError> {
        let pool = match self.source.pool() {
            Some(pool) => PoolSource::Application(pool.clone()),
            None => PoolSource::Own { max_connections: self.unit_of_work_connections },
        };
        Ok(Settings {
            target: self.target()?,
            pool,
            run_migrations: self.run_migrations,
            poll_interval: self.poll_interval,
            retention: self.retention,
            limits: self.limits,
            hooks: self.hooks,
            test_clock: self.test_clock,
        })
    }

    fn target(&self) -> Result<Target, QueueError> {
        let options_source = match (&self.make_options, self.source.pool()) {
            (Some(make), _) => OptionsSource::Made(make.clone()),
            (None, Some(pool)) => OptionsSource::Pool(pool.clone()),
            (None, None) => OptionsSource::Fixed,
        };
        let target = Target {
            options: self.source.connect_options()?,
            options_source,
            schema: self.schema.as_str().into(),
            behind_pooler: self.behind_pooler,
            timeout: self.timeout,
            dead_connection_warning: Arc::default(),
        };
        target.prepare()
    }
}

impl PostgresQueue {
    /// Connects to a database by its URL, `postgres://user:password@host:port/database`, and migrates the schema `queue`,
    /// which is created if it doesn't exist.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresQueueBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema created.
    pub async fn connect(url: impl Into<String>) -> Result<Self, QueueError> {
        Self::builder(url.into()).connect().await
    }

    /// Returns a builder for a queue with other settings.
    ///
    /// The source is a URL, an application's pool, or the driver's own options, which can name certificates:
    ///
    /// ```no_run
    /// # use queue_postgres::PostgresQueue;
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), queue_core::QueueError> {
    /// let queue = PostgresQueue::builder(pool).schema("mail").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # From a pool
    ///
    /// [Units of work](crate::PostgresUnitOfWork) begin in the application's pool. The queue opens its own connections
    /// outside of the pool, on its own thread (that of lone pushes on the caller's runtime), each with the connect options
    /// that the pool has at the time, so that changed credentials apply: see [`Pool::set_connect_options`](sqlx::Pool::set_connect_options). So jobs that hog the
    /// application's runtime, or use every connection of its pool, don't delay the renewal of leases.
    pub fn builder(source: impl Into<Source>) -> PostgresQueueBuilder {
        PostgresQueueBuilder::new(source.into())
    }
}

impl fmt::Debug for PostgresQueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("PostgresQueueBuilder")
            .field("schema", &self.schema)
            .field("run_migrations", &self.run_migrations)
            .field("behind_pooler", &self.behind_pooler)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
