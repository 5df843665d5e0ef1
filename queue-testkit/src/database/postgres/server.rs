//! The server, and the connections of this process that create and drop databases.
//!
//! One thread with a small runtime has the connections, because each test has a runtime of its own, which ends with the test.
//! One connection creates databases. It holds a shared advisory lock on the name of each database that this process uses. A process
//! that has ended holds none, so a database whose name can be locked exclusively is a leftover. The other connection drops
//! databases, so that no test waits for the end of another one.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join;
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use test_servers::SharedPostgres;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, OwnedMutexGuard};
use tokio::time::sleep;

use crate::database::DatabaseError;

/// The beginning of the names of all databases for tests.
pub(super) const PREFIX: &str = "queue_test_";

/// The server of this process's tests.
pub(super) struct Server {
    server: SharedPostgres,
    /// Creates databases, and holds the locks.
    connection: Arc<AsyncMutex<PgConnection>>,
    /// Drops databases.
    dropping: Arc<AsyncMutex<PgConnection>>,
    runtime: Handle,
    /// Part of the names of this process's databases.
    process: String,
    created: AtomicU32,
    /// Whether a database is created by copying the files of its template, not by logging their contents. Copying is faster on a
    /// server that syncs no file.
    copies_files: bool,
    cleared: OnceCell<()>,
}

/// The server that this process has found. Tests run in parallel, and the first one connects.
static SERVER: Mutex<Option<Arc<Server>>> = Mutex::new(None);

/// How long to wait for the first connection: the server may be suspended.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two polls: for the sessions of a database that is to be dropped, or for a template that another test creates.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The maximum number of polls for the sessions of a database that is to be dropped.
const MAX_POLLS: u32 = 100;

const UNREACHABLE: &str = "the server for tests can't be reached";

impl Server {
    /// Returns the server of this process. Blocks the thread while the server is started.
    pub(super) fn of_this_process() -> Result<Arc<Self>, DatabaseError> {
        let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*server {
            return Ok(server.clone());
        }
        Ok(server.insert(Arc::new(Self::connect()?)).clone())
    }

    fn connect() -> Result<Self, DatabaseError> {
        let server = SharedPostgres::find_or_start();
        let server = server.map_err(DatabaseError::of("there is no PostgreSQL server for tests"))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(DatabaseError::of("the test could not create a runtime"))?;
        let unreachable = match server.is_given() {
            true => "the server that TEST_POSTGRES_URL names can't be reached",
            false => UNREACHABLE,
        };
        let url = server.maintenance_url();
        let (handle, (connected, is_connected)) = (runtime.handle().clone(), channel());
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let connections = try_join(PgConnection::connect(&url), PgConnection::connect(&url));
                if connected.send(connections.await).is_ok() {
                    pending::<()>().await;
                }
            });
        });
        let connections = is_connected.recv_timeout(PATIENCE).map_err(DatabaseError::of(unreachable))?;
        let (connection, dropping) = connections.map_err(DatabaseError::of(unreachable))?;
        // Before version 15, the server always copies the files.
        let has_strategies = connection.server_version_num().is_some_and(|version| version >= 150_000);
        let copies_files = has_strategies && !server.is_given();
        let (connection, dropping) =
            (Arc::new(AsyncMutex::new(connection)), Arc::new(AsyncMutex::new(dropping)));
        let process = format!("{:016x}", fastrand::u64(..));
        let (created, cleared) = (AtomicU32::new(0), OnceCell::new());
        Ok(Self { server, connection, dropping, runtime: handle, process, created, copies_files, cleared })
    }

    /// Returns the URL of a database.
    pub(super) fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// Returns a new connection, of the caller's runtime, that can create databases.
    pub(super) async fn another_connection(&self) -> Result<PgConnection, DatabaseError> {
        let url = self.server.maintenance_url();
        PgConnection::connect(&url).await.map_err(DatabaseError::of(UNREACHABLE))
    }

    /// Creates a copy of a database that nothing is connected to.
    pub(super) async fn copy(self: &Arc<Self>, template: &str) -> Result<Database, DatabaseError> {
        let name = format!("{PREFIX}{}_{}", self.process, self.created.fetch_add(1, Ordering::Relaxed));
        let strategy = if self.copies_files { " strategy file_copy" } else { "" };
        let create = format!("create database \"{name}\" template \"{template}\"{strategy}");
        let failed = DatabaseError::of(format!("`{create}` failed"));
        let locked = name.clone();
        let created = self.run(async move |mut connection| {
            lock_shared(&mut connection, &locked).await?;
            raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await
        });
        created.await.map_err(failed)?;
        Ok(Database { server: self.clone(), name })
    }

    /// Locks the name of a template and returns whether the template exists. If it doesn't, the name is not locked.
    pub(super) async fn keep(&self, template: &str) -> Result<bool, DatabaseError> {
        let name = template.to_owned();
        let kept = self.run(async move |mut connection| {
            lock_shared(&mut connection, &name).await?;
            let is_there = exists(&mut connection, &name).await?;
            if !is_there {
                unlock_shared(&mut connection, &name).await?;
            }
            Ok(is_there)
        });
        kept.await.map_err(DatabaseError::of("the template of the test's database can't be locked"))
    }

    /// Uses the connection that creates databases, in its runtime.
    fn run<W, F, T>(&self, work: W) -> impl Future<Output = sqlx::Result<T>> + use<W, F, T>
    where
        W: FnOnce(OwnedMutexGuard<PgConnection>) -> F + Send + 'static,
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let connection = self.connection.clone();
        let running = self.runtime.spawn(async move { work(connection.lock_owned().await).await });
        async move { running.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }
    }

    /// Drops the databases that no process uses, once in each process.
    pub(super) async fn clear(&self) {
        self.cleared.get_or_init(|| self.drop_leftovers()).await;
    }

    async fn drop_leftovers(&self) {
        // A connection of its own, because the process's connection could lock exclusively a name that it has locked shared.
        let Ok(mut connection) = self.another_connection().await else { return };
        let names = "select datname from pg_database where starts_with(datname, $1)";
        let names = sqlx::query_scalar::<_, String>(names).bind(PREFIX).fetch_all(&mut connection).await;
        for name in names.unwrap_or_default() {
            let lock = "select pg_try_advisory_lock(hashtextextended($1, 0))";
            let locked = sqlx::query_scalar(lock).bind(&name).fetch_one(&mut connection).await;
            if locked.unwrap_or(false) {
                // If it fails, the next program drops the database.
                drop(drop_database(&mut connection, &name).await);
            }
        }
    }
}

/// Returns whether a database exists.
pub(super) async fn exists(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let exists = "select exists (select from pg_database where datname = $1)";
    sqlx::query_scalar(exists).bind(name).fetch_one(connection).await
}

/// Drops a database if it exists, and ends the sessions that use it.
pub(super) async fn drop_database(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    end_sessions(connection, name).await?;
    let drop = format!("drop database if exists \"{name}\" with (force)");
    raw_sql(AssertSqlSafe(drop)).execute(connection).await.map(|_| ())
}

/// Ends the sessions that use a database, and waits up to 0.1 s for their end. `drop database` would poll for the end of a session
/// only every 100 ms.
async fn end_sessions(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1 and usename = current_user";
    for _ in 0..MAX_POLLS {
        if sqlx::query_scalar::<_, i64>(end).bind(name).fetch_one(&mut *connection).await? == 0 {
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

async fn lock_shared(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let lock = "select pg_advisory_lock_shared(hashtextextended($1, 0))";
    sqlx::query(lock).bind(name).execute(connection).await.map(|_| ())
}

async fn unlock_shared(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let unlock = "select pg_advisory_unlock_shared(hashtextextended($1, 0))";
    sqlx::query(unlock).bind(name).execute(connection).await.map(|_| ())
}

/// A database that is dropped with this value.
pub(super) struct Database {
    server: Arc<Server>,
    name: String,
}

impl Database {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    /// Blocks until the database is dropped: the process may end with the test.
    fn drop(&mut self) {
        let (name, (dropped, is_dropped)) = (self.name.clone(), channel());
        let (connection, dropping) = (self.server.connection.clone(), self.server.dropping.clone());
        self.server.runtime.spawn(async move {
            let result = drop_database(&mut *dropping.lock().await, &name).await;
            // The receiver waits.
            let _ = dropped.send(());
            // A database that could not be dropped is dropped by a later program, unless this one keeps its lock.
            let unlocked = unlock_shared(&mut *connection.lock().await, &name).await;
            drop((result, unlocked));
        });
        // An error means that the runtime is gone. A later program drops the database then.
        let _ = is_dropped.recv();
    }
}
