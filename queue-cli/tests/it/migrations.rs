//! The verb `migrate`, and what the others do without a schema.

use queue_core::BoxError;
use queue_postgres::sqlx::{AssertSqlSafe, raw_sql};
use queue_sqlite::rusqlite::Connection;
use queue_testkit::TestPostgres;

use crate::store::{Printed, TestResult, command, leave_empty, run};

fn queue(url: &str, schema: &str, line: &str) -> Printed {
    run(command().args(["--url", url, "--schema", schema]).args(line.split_whitespace()), "")
}

/// Runs the steps of a migration. `by_hand` runs a script in another schema or file, which `other` names.
async fn steps(
    url: &str,
    schema: &str,
    other: (&str, &str),
    by_hand: impl AsyncFn(String) -> Result<(), BoxError>,
) -> TestResult {
    for line in ["status", "list", "push charge", "pause mail"] {
        let absent = queue(url, schema, line);
        assert!([1, 5].contains(&absent.code), "{line}: {}", absent.error);
    }
    let status = queue(url, schema, "migrate --status --json");
    assert_eq!(status.code, 1, "{}", status.error);
    assert_eq!(status.out, "{\"version\":0,\"latest\":1,\"min_program_version\":0,\"is_current\":false}\n");

    let migrated = queue(url, schema, "migrate");
    assert_eq!((migrated.code, migrated.out.as_str()), (0, "migrated the schema from version 0 to 1\n"));
    assert_eq!(queue(url, schema, "migrate").out, "the schema has version 1 and is up to date\n");
    assert_eq!(queue(url, schema, "migrate --status").code, 0);
    assert_eq!(queue(url, schema, "migrate --sql").out, "\n");
    assert_eq!(queue(url, schema, "push charge").code, 0);

    let script = queue(other.0, other.1, "migrate --sql");
    by_hand(script.out).await?;
    assert_eq!(
        queue(other.0, other.1, "migrate --status").out,
        "the schema has version 1 and is up to date\n"
    );
    assert_eq!(queue(other.0, other.1, "push charge").code, 0);
    Ok(())
}

#[tokio::test]
async fn an_sqlite_file_is_created_by_migrate_alone() -> TestResult {
    let folder = tempfile::tempdir()?;
    let [path, other] = ["jobs.db", "other.db"].map(|name| folder.path().join(name));
    let url = |path: &std::path::Path| format!("sqlite:{}", path.display());
    let by_hand = async |script: String| Ok(Connection::open(&other)?.execute_batch(&script)?);

    assert_eq!(queue(&url(&path), "queue", "status").code, 5);
    assert!(!path.exists());
    steps(&url(&path), "queue", (&url(&other), "queue"), by_hand).await
}

#[tokio::test]
async fn a_postgres_schema_is_created_by_migrate_alone() -> TestResult {
    let database = TestPostgres::create(leave_empty).await?;
    let by_hand =
        async |script: String| Ok(raw_sql(AssertSqlSafe(script)).execute(database.pool()).await.map(drop)?);

    let absent = queue(database.url(), "mine", "status");
    assert!(absent.error.contains("`queue migrate` updates it"), "{}", absent.error);
    steps(database.url(), "mine", (database.url(), "by hand"), by_hand).await
}
