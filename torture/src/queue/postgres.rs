//! The invariants of a queue's tables in PostgreSQL.

use queue_postgres::sqlx::{self, Connection as _, PgConnection};

/// Creates a database whose files are on a disk, and returns its URL.
#[cfg(target_os = "linux")]
pub(super) async fn make_on(
    server: &test_servers::Postgres,
    disk: &std::path::Path,
) -> Result<String, queue_core::BoxError> {
    let mut database = PgConnection::connect(&server.url("postgres")).await?;
    let statements = [
        format!("create tablespace small location '{}'", disk.display()),
        "create database small tablespace small".to_owned(),
    ];
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut database).await?;
    }
    Ok(server.url("small"))
}

/// Fails if a row breaks a rule of the tables.
pub(super) async fn check_integrity(url: &str) -> Result<(), String> {
    let cannot_check = |error| format!("the integrity of the tables cannot be checked: {error}");
    let mut database = PgConnection::connect(url).await.map_err(cannot_check)?;
    let violations: Vec<(String, String)> =
        sqlx::query_as("select rule, violation from queue.check_integrity() limit 10")
            .fetch_all(&mut database)
            .await
            .map_err(cannot_check)?;
    if violations.is_empty() {
        return Ok(());
    }
    let violations: Vec<_> =
        violations.iter().map(|(rule, row)| format!("{rule}, but not `{row}`")).collect();
    Err(format!("rules of the tables are broken: {}", violations.join("; ")))
}
