//! Opening a queue: the files that it creates, accepts and refuses (D8, D10).

use std::fs;

use queue_core::backend::error_chain;
use queue_core::{NewJob, Queue as _, QueueErrorKind, QueueExt as _};
use queue_sqlite::rusqlite::Connection;
use queue_sqlite::{SqliteQueue, Synchronous};

use crate::fixture::{TestResult, work};

/// Fails to open a queue. Returns the kind of the error, and its message with those of its causes.
async fn refused(path: &std::path::Path) -> (QueueErrorKind, String) {
    let error = SqliteQueue::open(path).await.expect_err("the queue was opened");
    (error.kind(), error_chain(&error))
}

#[tokio::test]
async fn a_new_file_is_readable_by_its_owner_only_and_uses_wal() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");

    let queue = SqliteQueue::open(&path).await?;
    queue.enqueue(work::new(1)).await?;

    #[cfg(unix)]
    for name in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join(name))?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let mode: String = Connection::open(&path)?.query_row("pragma journal_mode", [], |row| row.get(0))?;
    assert_eq!(mode, "wal");
    Ok(())
}

/// H77: the line at a service's start names the file, and says what a push survives.
#[tokio::test]
async fn the_description_names_the_file_and_what_a_push_survives() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let file = format!("SQLite file `{}`; an acknowledged push survives ", path.display());

    let full = SqliteQueue::open(&path).await?.description();
    let normal = SqliteQueue::builder(&path).synchronous(Synchronous::Normal).open().await?.description();

    assert_eq!(full, format!("{file}a power cut"));
    assert_eq!(normal, format!("{file}a crash of the program, but perhaps not of the machine"));
    Ok(())
}

/// D8
#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);
    Connection::open(&path)?.execute("insert into queue_schema_migrations (version) values (999)", [])?;

    let (kind, text) = refused(&path).await;

    assert_eq!(kind, QueueErrorKind::Unsupported, "{text}");
    assert!(text.contains("999") && text.contains("update the program"), "{text}");
    Ok(())
}

/// D8
#[tokio::test]
async fn a_folder_is_refused_with_a_path_to_use_instead() -> TestResult {
    let folder = tempfile::tempdir()?;

    let (kind, text) = refused(folder.path()).await;

    assert_eq!(kind, QueueErrorKind::Invalid, "{text}");
    assert!(text.contains("is a folder") && text.contains("jobs.db"), "{text}");
    Ok(())
}

/// D8
#[tokio::test]
async fn an_empty_path_is_refused() {
    let (kind, text) = refused(std::path::Path::new("")).await;

    assert_eq!(kind, QueueErrorKind::Invalid, "{text}");
    assert!(text.starts_with("the path is empty"), "{text}");
}

/// D8: the name of the file is longer than a file system takes.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_can_not_be_created_is_refused_with_the_cause() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(format!("{}.db", "x".repeat(300)));

    let error = SqliteQueue::open(&path).await.expect_err("a name that is too long");

    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error}");
    assert!(error.to_string().ends_with("can't be created: invalid filename"), "{error}");
    Ok(())
}

/// D8
#[tokio::test]
async fn a_missing_folder_is_refused_by_name() -> TestResult {
    let folder = tempfile::tempdir()?;

    let (kind, text) = refused(&folder.path().join("missing").join("jobs.db")).await;

    assert_eq!(kind, QueueErrorKind::Invalid, "{text}");
    assert!(text.contains("missing") && text.contains("create it first"), "{text}");
    Ok(())
}

/// D8
#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_unchanged() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let garbage = "this is a letter, not a database ".repeat(200);
    fs::write(&path, &garbage)?;

    let (kind, text) = refused(&path).await;

    assert_eq!(kind, QueueErrorKind::Corrupt, "{text}");
    assert!(text.contains("backup"), "{text}");
    assert_eq!(fs::read_to_string(&path)?, garbage);
    Ok(())
}

/// D4, D8
#[tokio::test]
async fn a_read_only_file_is_refused() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);
    let mut permissions = fs::metadata(&path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions)?;

    let (kind, text) = refused(&path).await;

    assert_eq!(kind, QueueErrorKind::Invalid, "{text}");
    assert!(text.contains("read-only"), "{text}");
    Ok(())
}

/// D10: There is one version so far. `schemas/version_1.sql` keeps a file of it.
#[tokio::test]
async fn an_upgrade_keeps_the_jobs_of_each_earlier_schema() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let connection = Connection::open(&path)?;
    connection.execute_batch(include_str!("schemas/version_1.sql"))?;
    drop(connection);

    let queue = SqliteQueue::open(&path).await?;

    let demand = queue_core::Demand::new("mail", 10).wait(std::time::Duration::ZERO);
    let [delivery] = &*queue.claim(&demand).await? else { panic!("one job was stored") };
    assert_eq!((delivery.name.as_str(), &*delivery.body.encode()?), ("send_welcome", "{\"user_id\":42}"));
    assert_eq!((delivery.attempt, delivery.lease.fence.0, delivery.meta.get("tenant")), (2, 2, Some("acme")));
    Ok(())
}

#[tokio::test]
async fn opening_does_not_change_the_tables_and_version_of_an_application() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let shop = Connection::open(&path)?;
    shop.execute_batch("create table jobs (id integer primary key); pragma user_version = 7")?;

    drop(SqliteQueue::open(&path).await?);

    let version: i64 = shop.query_row("pragma user_version", [], |row| row.get(0))?;
    let others = "select count(*) from sqlite_schema where type = 'table' and name not like 'queue_%'
        and name not like 'sqlite_%'";
    assert_eq!((version, shop.query_row(others, [], |row| row.get::<_, i64>(0))?), (7, 1));
    Ok(())
}

#[tokio::test]
async fn two_queues_in_memory_share_no_jobs() -> TestResult {
    let (one, other) = (SqliteQueue::open(":memory:").await?, SqliteQueue::open(":memory:").await?);

    one.enqueue(work::new(1)).await?;

    let demand = queue_core::Demand::new("default", 1).wait(std::time::Duration::ZERO);
    assert_eq!(other.claim(&demand).await?.len(), 0);
    assert_eq!(one.claim(&demand).await?.len(), 1);
    Ok(())
}

/// Q7
#[tokio::test]
async fn a_closure_is_refused_and_the_error_names_the_macro() -> TestResult {
    let queue = SqliteQueue::open(":memory:").await?;

    let error = queue.push(vec![NewJob::call(async |_| {})]).await.expect_err("a closure was stored");

    assert_eq!(error.kind(), QueueErrorKind::Unsupported);
    assert!(error.to_string().contains("#[background_job]"), "{error}");
    Ok(())
}

/// D8: a misspelt path is an error, not a new file.
#[tokio::test]
async fn without_migration_an_absent_file_is_refused_and_none_is_created() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jbos.db");

    let error = SqliteQueue::builder(&path).run_migrations(false).open().await.expect_err("there is no file");

    assert_eq!(error.kind(), QueueErrorKind::Unavailable);
    assert!(
        error.to_string().contains("there is no file `") && error.to_string().contains("jbos.db"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}

/// D8: the file of another program is left as it is.
#[tokio::test]
async fn without_migration_a_file_without_a_queue_is_refused_and_left_unchanged() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.db");
    Connection::open(&path)?.execute_batch("create table orders (id integer primary key)")?;
    let before = fs::read(&path)?;
    let builder = SqliteQueue::builder(&path);

    let error = builder.clone().run_migrations(false).open().await.expect_err("it has no queue");

    assert_eq!(error.kind(), QueueErrorKind::Unsupported);
    assert!(error.to_string().contains("has no queue in it"), "{error}");
    assert_eq!(fs::read(&path)?, before);
    drop(builder.clone().open().await?);
    builder.run_migrations(false).open().await?.enqueue(work::new(1)).await?;
    Ok(())
}

/// D8: the script is what opening would run.
#[tokio::test]
async fn the_script_of_the_missing_migrations_creates_the_schema() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let builder = SqliteQueue::builder(&path);
    let status = builder.clone().schema_status().await?;
    assert_eq!((status.found.version, status.is_current(), path.exists()), (0, false, false));

    Connection::open(&path)?.execute_batch(&status.script)?;

    let status = builder.clone().schema_status().await?;
    assert_eq!((status.found.version, status.script.as_str()), (status.latest, ""));
    builder.run_migrations(false).open().await?.enqueue(work::new(1)).await?;
    let schema = |path: &std::path::Path| -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
        let connection = Connection::open(path)?;
        let mut tables =
            connection.prepare("select sql from sqlite_schema where sql is not null order by name")?;
        Ok(tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let opened = folder.path().join("opened.db");
    drop(SqliteQueue::open(&opened).await?);
    assert_eq!(schema(&path)?, schema(&opened)?);
    Ok(())
}
