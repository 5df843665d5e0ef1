//! Two versions of the program and of the schema at the same time, as during a rolling deployment (D29).

use std::path::Path;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{
    Admin as _, Demand, Heartbeat, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Settlement, State,
    Transition,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;

use crate::fixture::{TestResult, work};

/// Migrates a file to the next version by additive changes.
fn migrate_additively(path: &Path) -> TestResult {
    Connection::open(path)?.execute_batch(
        "begin immediate;
        alter table queue_jobs add column tenant text default 'none';
        insert into queue_schema_migrations (version, min_program_version)
            select max(version) + 1, max(version) from queue_schema_migrations;
        commit",
    )?;
    Ok(())
}

/// Pushes, claims, renews, settles and cancels jobs, including a unique one.
async fn use_it(queue: &SqliteQueue) -> TestResult {
    let id = queue.enqueue(work::new(1)).await?.id();
    queue
        .push(vec![NewJob::from(work::new(2)).unique("2"), NewJob::from(work::new(3)).queue("other")])
        .await?;
    let cancelled = queue.enqueue(work::new(4)).await?.id();
    queue.cancel(cancelled, "not needed").await?;
    let deliveries = queue.claim(&Demand::new("default", 10).wait(Duration::ZERO)).await?;
    assert_eq!(deliveries.len(), 2);
    let leases: Vec<_> = deliveries.iter().map(|delivery| delivery.lease.clone()).collect();
    queue.renew(&Heartbeat::of(&leases)).await?;
    queue
        .settle(leases.into_iter().map(|lease| Settlement::new(lease, Transition::complete())).collect())
        .await?;
    assert_eq!(queue.get(id).await?.map(|job| job.state), Some(State::Completed));
    Ok(())
}

/// D29
#[tokio::test]
async fn an_older_program_works_with_a_schema_that_names_its_version_as_the_minimum() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let running = SqliteQueue::open(&path).await?;
    use_it(&running).await?;

    migrate_additively(&path)?;

    use_it(&running).await?;
    use_it(&SqliteQueue::open(&path).await?).await?;
    Ok(())
}

/// D29, D8
#[tokio::test]
async fn a_program_below_the_minimum_is_refused_with_the_versions_and_what_to_do() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);
    migrate_additively(&path)?;
    // The next migration is not additive. The one after it is, for programs that know the one before.
    Connection::open(&path)?.execute_batch(
        "insert into queue_schema_migrations (version) select max(version) + 1 from queue_schema_migrations;
        insert into queue_schema_migrations (version, min_program_version)
            select max(version) + 1, max(version) from queue_schema_migrations",
    )?;

    let error = SqliteQueue::open(&path).await.expect_err("the queue was opened");

    let text = error_chain(&error);
    assert_eq!(error.kind(), QueueErrorKind::Unsupported, "{text}");
    assert!(text.contains("has version 4 and works with programs that know version 3"), "{text}");
    assert!(text.contains("update the program"), "{text}");
    Ok(())
}
