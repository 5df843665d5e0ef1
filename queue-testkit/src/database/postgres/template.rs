//! The template: the database of which each test gets a copy.
//!
//! Its name contains a hash of the run, the program and the setup, so that each run of `cargo test` creates its own template: a
//! setup may read files that were changed since the last run. The template is created under another name, with both names locked,
//! and renamed when it is complete. So no test finds half a template, and a template whose creator was killed is created again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::parent_id;
use std::sync::Arc;

use queue_core::BoxError;
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use tokio::time::sleep;

use super::TestPostgres;
use super::server::{POLL_INTERVAL, PREFIX, Server, drop_database, exists};
use crate::database::DatabaseError;

/// Returns the name of the template, which is created if it doesn't exist. Waits while another test creates it.
pub(super) async fn find_or_create<S, E>(server: &Arc<Server>, setup: S) -> Result<String, DatabaseError>
where
    S: AsyncFn(&TestPostgres) -> Result<(), E>,
    E: Into<BoxError>,
{
    let name = format!("{PREFIX}template_{:016x}", key::<S>());
    while !server.keep(&name).await? {
        create(server, &name, &setup).await?;
    }
    Ok(name)
}

/// Returns a number for the run, the program and the setup. All processes of a run have the same parent: cargo, or another
/// runner of tests.
fn key<S>() -> u64 {
    let mut hasher = DefaultHasher::new();
    parent_id().hash(&mut hasher);
    if let Ok(program) = std::env::current_exe() {
        if let Ok(file) = program.metadata() {
            (file.ino(), file.len(), file.mtime(), file.mtime_nsec()).hash(&mut hasher);
        }
        program.hash(&mut hasher);
    }
    std::any::type_name::<S>().hash(&mut hasher);
    hasher.finish()
}

/// Creates the template unless it exists.
async fn create<S, E>(server: &Arc<Server>, name: &str, setup: &S) -> Result<(), DatabaseError>
where
    S: AsyncFn(&TestPostgres) -> Result<(), E>,
    E: Into<BoxError>,
{
    let failed = || DatabaseError::of("the template of the test's database can't be created");
    let unfinished = format!("{name}_new");
    // The locks end with this connection, even if the setup panics.
    let mut connection = server.another_connection().await?;
    if !lock(&mut connection, name).await.map_err(failed())? {
        return connection.close().await.map_err(failed());
    }
    let lock = "select pg_advisory_lock(hashtextextended($1, 0))";
    sqlx::query(lock).bind(&unfinished).execute(&mut connection).await.map_err(failed())?;
    if !exists(&mut connection, name).await.map_err(failed())? {
        drop_database(&mut connection, &unfinished).await.map_err(failed())?;
        run(&mut connection, format!("create database \"{unfinished}\"")).await.map_err(failed())?;
        let database = TestPostgres::open(server.url(&unfinished), unfinished.clone(), None).await?;
        setup(&database).await.map_err(DatabaseError::of("the setup of the test's database failed"))?;
        database.pool().close().await;
        drop(database);
        close(&mut connection, &unfinished).await.map_err(failed())?;
        let rename = format!("alter database \"{unfinished}\" rename to \"{name}\"");
        run(&mut connection, rename).await.map_err(failed())?;
    }
    connection.close().await.map_err(failed())
}

/// Locks the name of the template. Returns `false` if the template exists and another session has locked its name.
///
/// It must not wait for that session: if it is the one of this process that keeps the template, it ends with the process.
async fn lock(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let lock = "select pg_try_advisory_lock(hashtextextended($1, 0))";
    while !sqlx::query_scalar::<_, bool>(lock).bind(name).fetch_one(&mut *connection).await? {
        if exists(connection, name).await? {
            return Ok(false);
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(true)
}

/// Ends all sessions of a database, and refuses new ones: only a database without sessions can be copied.
async fn close(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    run(connection, format!("alter database \"{name}\" with allow_connections false")).await?;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    sqlx::query(end).bind(name).execute(connection).await.map(|_| ())
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A test that has found no template may come to create it when another test of the process has created it and keeps it.
    #[tokio::test]
    async fn a_template_that_this_process_keeps_is_not_waited_for() -> Result<(), BoxError> {
        async fn nothing(_: &TestPostgres) -> Result<(), BoxError> {
            Ok(())
        }
        let server = Server::of_this_process()?;
        let name = find_or_create(&server, nothing).await?;

        // Only a failure takes this long.
        let late = timeout(Duration::from_secs(60), create(&server, &name, &nothing)).await;

        late.map_err(|_| "the test waits for the end of its own process")??;
        assert!(server.keep(&name).await?, "the template is still there");
        Ok(())
    }
}
