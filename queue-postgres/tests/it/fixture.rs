//! A queue in its own schema, with a clock that the test moves.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::Fixture;
use queue_core::{Admin, BoxError, Timestamp, background_job};
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder};
use test_servers::{Durability, Postgres};
use tokio::runtime::{Builder, Runtime};

pub(crate) type TestResult = Result<(), BoxError>;

/// A job that does nothing.
#[background_job]
pub(crate) async fn work(number: u32) {
    let _: u32 = number;
}

/// The server shared by all tests that don't stop it.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
    let settings = ["max_connections=1000", "autovacuum=off"];
    Postgres::start(Durability::Process, &settings).unwrap_or_else(|error| panic!("{error}"))
});

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// Returns the server's URL.
pub(crate) fn url() -> String {
    SERVER.url("postgres")
}

/// Returns an unused schema name.
pub(crate) fn schema() -> String {
    format!("queue_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed))
}

/// A poll interval that is long enough that a poll can't explain a wakeup.
pub(crate) const NEVER: Duration = Duration::from_secs(60 * 60 * 24);

pub(crate) struct UnderTest {
    queue: PostgresQueue,
    schema: String,
    /// The lock is held while the time changes.
    now: Mutex<Timestamp>,
    clock: Arc<tokio::sync::Mutex<PgConnection>>,
}

/// The runtime of the connections that set the clocks. It has its own thread, because a test's thread blocks until its clock is
/// set.
static CLOCKS: LazyLock<Runtime> = LazyLock::new(|| {
    let clocks = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    clocks.expect("a runtime for clocks")
});

/// Runs `work` on the clocks' runtime, and blocks the thread until it is done.
fn at_once<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, is_done) = std::sync::mpsc::channel();
    CLOCKS.spawn(async move { done.send(work.await) });
    is_done.recv().expect("the clocks' runtime runs the work")
}

/// The time at which each test begins.
const BEGINNING: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

const DAY: Duration = Duration::from_secs(60 * 60 * 24);

/// Stops a schema's clock at `now`.
pub(crate) async fn set_clock(connection: &mut PgConnection, schema: &str, now: Timestamp) -> TestResult {
    let now = now.as_micros();
    let clock = format!(
        "create or replace function {schema}.clock() returns bigint language sql volatile as $$ select {now}::bigint $$"
    );
    raw_sql(AssertSqlSafe(clock)).execute(connection).await?;
    Ok(())
}

impl UnderTest {
    pub(crate) async fn fresh() -> Self {
        let schema = schema();
        let queue = builder(&schema).connect().await.expect("a fresh queue");
        let of = schema.clone();
        let clock = at_once(async move {
            let mut connection = PgConnection::connect(&url()).await.expect("a connection");
            set_clock(&mut connection, &of, BEGINNING).await.expect("a clock that stands still");
            connection
        });
        let clock = Arc::new(tokio::sync::Mutex::new(clock));
        Self { queue, schema, now: Mutex::new(BEGINNING), clock }
    }
}

/// Returns a builder of a queue that prunes nothing and polls only when the test asks for it.
fn builder(schema: &str) -> PostgresQueueBuilder {
    without_pruning(schema).poll_interval(NEVER)
}

/// Returns a builder of a queue that prunes nothing: a test that counts rows counts those of the calls that it makes.
pub(crate) fn without_pruning(schema: &str) -> PostgresQueueBuilder {
    let builder = PostgresQueue::builder(url()).schema(schema);
    builder.keep_completed(None).keep_cancelled(None).keep_discarded(None)
}

#[async_trait]
impl Fixture for UnderTest {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.queue.clone())
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().expect("a time")
    }

    async fn advance(&self, by: Duration) {
        // Waiting claims began to wait before the time moves.
        self.queue.poll_now().await;
        {
            let mut now = self.now.lock().expect("a time");
            *now = now.saturating_add(by);
            let (clock, schema, now) = (self.clock.clone(), self.schema.clone(), *now);
            at_once(async move { set_clock(&mut *clock.lock().await, &schema, now).await })
                .expect("the time moved");
        }
        self.queue.poll_now().await;
    }

    async fn close(&self) {
        self.queue.close();
    }

    /// Each takes a hundred times as long as one in memory.
    fn sequences(&self) -> u64 {
        500
    }

    /// A schema and its sessions take as long as some hundred calls.
    async fn empty(&self) -> bool {
        let now = {
            let mut now = self.now.lock().expect("a time");
            // The time of the queue never goes back.
            let days = now.since(BEGINNING).as_secs() / DAY.as_secs() + 1;
            *now = BEGINNING.saturating_add(DAY * u32::try_from(days).expect("a number of days"));
            *now
        };
        let (clock, schema) = (self.clock.clone(), self.schema.clone());
        let emptied = at_once(async move {
            let mut connection = clock.lock().await;
            run(&mut connection, delete_all(&schema)).await?;
            set_clock(&mut connection, &schema, now).await
        });
        emptied.expect("an empty schema");
        true
    }

    async fn reopen(&self) -> Option<Arc<dyn Admin>> {
        let queue = builder(&self.schema).connect().await.expect("the same schema again");
        Some(Arc::new(queue))
    }
}

/// Creates a queue with the server's clock that prunes nothing. Returns it with a connection and the schema's name.
pub(crate) async fn queue() -> Result<(PostgresQueue, PgConnection, String), BoxError> {
    let schema = schema();
    let queue = without_pruning(&schema).connect().await?;
    Ok((queue, PgConnection::connect(&url()).await?, schema))
}

/// Returns the statement that deletes all rows of a schema, those of its migrations apart.
///
/// The queue's tasks go on in the background, and lock tables in another order. So the statement waits for no lock while it holds one.
fn delete_all(schema: &str) -> String {
    format!(
        "do $$ declare
            _table name;
            _tables name[] := array(select tablename from pg_tables
                where schemaname = '{schema}' and tablename <> 'schema_migrations');
        begin
            loop
                begin
                    foreach _table in array _tables loop
                        execute format('lock table {schema}.%I in exclusive mode nowait', _table);
                    end loop;
                    exit;
                exception when lock_not_available then
                    null;
                end;
            end loop;
            foreach _table in array _tables loop
                execute format('delete from {schema}.%I', _table);
            end loop;
        end $$"
    )
}

/// Runs statements.
pub(crate) async fn run(connection: &mut PgConnection, sql: impl Into<String>) -> TestResult {
    raw_sql(AssertSqlSafe(sql.into())).execute(connection).await?;
    Ok(())
}

/// Reads one number.
pub(crate) async fn number(connection: &mut PgConnection, sql: impl Into<String>) -> Result<i64, BoxError> {
    Ok(sqlx::query_scalar(AssertSqlSafe(sql.into())).fetch_one(connection).await?)
}

/// Waits until the sessions of the schema's queue have ended. They report what they read when they end.
pub(crate) async fn sessions_ended(connection: &mut PgConnection, schema: &str) -> TestResult {
    let sessions = format!(
        "select count(*) from pg_stat_activity where query like '%{schema}%' and pid <> pg_backend_pid()"
    );
    while number(connection, &sessions).await? > 0 {}
    Ok(())
}

/// Ends the sessions of a schema's queue whose last statement is `like` this, as a broken network does. Returns their
/// number.
pub(crate) async fn cut(connection: &mut PgConnection, like: &str) -> Result<i64, BoxError> {
    let cut = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '{like}' and pid <> pg_backend_pid()"
    );
    number(connection, cut).await
}
