//! A file that somebody else keeps locked (D14).

use std::time::Duration;

use queue_core::error::chain;
use queue_core::{Admin as _, Demand, Queue as _, QueueErrorKind, QueueExt as _};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;

use crate::fixture::{TestResult, work};

/// D14: it's waited for within the bound, and then said; nothing of the push is there.
#[tokio::test]
async fn a_lock_that_is_kept_for_too_long_is_unavailable() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::builder(&path).busy_timeout(Duration::from_millis(50)).open().await?;
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;

    let error = queue.enqueue(work::new(1)).await.expect_err("it was stored under another's lock");

    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error}");
    assert!(chain(&error).contains("locked"), "{}", chain(&error));
    other.execute_batch("commit")?;
    let ids =
        queue.list(&queue_core::admin::Filter::all(), &queue_core::admin::PageRequest::first(10)).await?;
    assert_eq!(ids.jobs.len(), 0);
    queue.enqueue(work::new(2)).await?;
    Ok(())
}

/// D14: a claim that waits goes on waiting while others write.
#[tokio::test]
async fn a_waiting_claim_outlives_a_lock() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let builder = SqliteQueue::builder(&path).busy_timeout(Duration::from_millis(20));
    let queue = builder.poll_interval(Duration::from_millis(5)).open().await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;
    queue.enqueue(work::new(1)).await.expect_err("it was stored under another's lock");

    other.execute_batch("commit")?;
    queue.enqueue(work::new(2)).await?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}

/// D14: what was pushed by another while a lock kept everyone from it is found when that ends, however it ends.
#[tokio::test]
async fn a_claim_finds_its_job_after_a_lock_that_ends_without_a_commit() -> TestResult {
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
    // By its answer, the writer has tried to get at the job, and given up for now.
    queue.enqueue(work::new(2)).await.expect_err("it was stored under another's lock");

    other.execute_batch("rollback")?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}
