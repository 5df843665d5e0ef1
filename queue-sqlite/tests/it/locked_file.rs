//! A file that another connection has locked (D14).

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Admin as _, Demand, Queue as _, QueueErrorKind, QueueExt as _};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;

use crate::fixture::{TestResult, work};

/// D14: A push waits for the busy timeout, then fails and stores nothing.
#[tokio::test]
async fn a_push_fails_as_unavailable_after_the_busy_timeout() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::builder(&path).busy_timeout(Duration::from_millis(50)).open().await?;
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;

    let error =
        queue.enqueue(work::new(1)).await.expect_err("a push succeeded under the lock of another connection");

    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error}");
    assert!(error_chain(&error).contains("locked"), "{}", error_chain(&error));
    other.execute_batch("commit")?;
    let ids =
        queue.list(&queue_core::admin::Filter::all(), &queue_core::admin::PageRequest::first(10)).await?;
    assert_eq!(ids.jobs.len(), 0);
    queue.enqueue(work::new(2)).await?;
    Ok(())
}

/// D14: A waiting claim goes on waiting while another connection holds the lock.
#[tokio::test]
async fn a_waiting_claim_survives_a_lock() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let builder = SqliteQueue::builder(&path).busy_timeout(Duration::from_millis(20));
    let queue = builder.poll_interval(Duration::from_millis(5)).open().await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;
    queue.enqueue(work::new(1)).await.expect_err("a push succeeded under the lock of another connection");

    other.execute_batch("commit")?;
    queue.enqueue(work::new(2)).await?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}

/// D14: A claim finds a job that the lock kept from it when the lock ends, even by a rollback.
#[tokio::test]
async fn a_claim_finds_its_job_after_the_lock_ends_by_a_rollback() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let builder = SqliteQueue::builder(&path).busy_timeout(Duration::from_millis(20));
    let queue = builder.poll_interval(Duration::from_millis(5)).open().await?;
    SqliteQueue::open(&path).await?.enqueue(work::new(1)).await?;
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    // When this fails, the writer has tried to serve the claim and has failed for now.
    queue.enqueue(work::new(2)).await.expect_err("a push succeeded under the lock of another connection");

    other.execute_batch("rollback")?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}
