//! A private PostgreSQL database for each test.
//!
//! `server.rs` has the server, and the connection that creates and drops databases. `template.rs` creates the template, of which
//! each test gets a copy.

mod server;
mod template;

use std::fmt;
use std::sync::Arc;

use queue_core::BoxError;
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::PgPool;
use queue_postgres::sqlx::postgres::PgPoolOptions;

use super::DatabaseError;
use crate::clock::VirtualClock;
use server::{Database, Server};

/// A PostgreSQL database that one test uses alone. Dropped with this value, even if the test panics.
///
/// `#[queue_testkit::test(postgres)]` passes one to a test. It is a copy of a template, so creating it costs some tens of
/// milliseconds. The template has the queue in the schema `queue`, and everything that the test's `setup` creates. It is created
/// once for each test program and each `setup` in a run of `cargo test`.
///
/// ```
/// use queue_testkit::TestPostgres;
/// use queue_postgres::sqlx; // or your own
///
/// async fn migrate(db: &TestPostgres) -> sqlx::Result<()> {
///     sqlx::query("create table orders (id bigint primary key)").execute(db.pool()).await?;
///     Ok(())
/// }
///
/// #[queue_testkit::test(postgres, setup = migrate)]
/// async fn there_are_no_orders(db: TestPostgres) -> sqlx::Result<()> {
///     let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(db.pool()).await?;
///     assert_eq!(orders, 0);
///     Ok(())
/// }
/// ```
///
/// # The server
///
/// All tests of a user share one server, which the first test starts and which stops by itself: see
/// [`SharedPostgres`](test_servers::SharedPostgres). With `TEST_POSTGRES_URL` set, databases are created on that server.
/// Databases of test programs that were killed are dropped by the next program.
pub struct TestPostgres {
    // Fields are dropped in this order: what uses the database before the database.
    queue: PostgresQueue,
    pool: PgPool,
    url: String,
    template: String,
    _database: Option<Database>,
}

/// How many connections a test's pool may open.
const POOL: u32 = 10;

impl TestPostgres {
    /// Creates a database for a test that does not use the attribute. The first call with a `setup` creates the template.
    ///
    /// The template is recognized by the name of `setup`, so pass a function, not a closure.
    ///
    /// # Errors
    ///
    /// If there is no server, if it refuses to create a database, or if `setup` fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave a database, which a later test program drops.
    pub async fn create<S, E>(setup: S) -> Result<Self, DatabaseError>
    where
        S: AsyncFn(&Self) -> Result<(), E>,
        E: Into<BoxError>,
    {
        let server = Server::of_this_process()?;
        let template = template::find_or_create(&server, setup).await?;
        // After the template is locked: until then it is a leftover, if the last program that used it has ended.
        server.clear().await;
        Self::copy_of(&server, template).await
    }

    /// Creates another private database from the same template.
    ///
    /// # Errors
    ///
    /// If the server refuses to create a database.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave a database, which a later test program drops.
    pub async fn another(&self) -> Result<Self, DatabaseError> {
        Self::copy_of(&Server::of_this_process()?, self.template.clone()).await
    }

    /// Returns the queue, in the schema `queue`. It uses the [pool](Self::pool) for units of work.
    #[must_use]
    pub fn queue(&self) -> &PostgresQueue {
        &self.queue
    }

    /// Returns the pool, for the application's own tables.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Returns the URL, for a driver of the application's own.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn copy_of(server: &Arc<Server>, template: String) -> Result<Self, DatabaseError> {
        let database = server.copy(&template).await?;
        Self::open(server.url(database.name()), template, Some(database)).await
    }

    /// Opens a database, and creates the queue in it if it has none.
    async fn open(url: String, template: String, database: Option<Database>) -> Result<Self, DatabaseError> {
        let failed = "the test's database can't be opened";
        // The server does not close the connections of a test, so no connection is tested before it is used.
        let options = PgPoolOptions::new().max_connections(POOL).test_before_acquire(false);
        let pool = options.connect_lazy(&url);
        let pool = pool.map_err(DatabaseError::of(failed))?;
        let builder = PostgresQueue::builder(pool.clone()).test_clock(VirtualClock::START);
        // A test that lets days pass still sees its finished jobs.
        let builder = builder.keep_completed(None).keep_cancelled(None).keep_discarded(None);
        let queue = builder.connect().await;
        let queue = queue.map_err(DatabaseError::of(failed))?;
        Ok(Self { queue, pool, url, template, _database: database })
    }
}

impl fmt::Debug for TestPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestPostgres").field("queue", &self.queue).finish_non_exhaustive()
    }
}
