//! The history of a file: what a transaction writes, what a rollback takes back, and what is deleted.

use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow};
use queue_core::{Admin as _, Demand, Queue as _, QueueExt as _, Settlement, Timestamp, Transition};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const MINUTE: Duration = Duration::from_secs(60);

async fn complete(queue: &SqliteQueue, jobs: u32) -> TestResult {
    queue.enqueue_all((0..jobs).map(work::new)).await?;
    let claimed = queue.claim(&Demand::new("default", jobs as usize)).await?;
    let settle = claimed.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
    queue.settle(settle.collect()).await?;
    Ok(())
}

async fn history(queue: &SqliteQueue) -> Result<Vec<HistoryRow>, queue_core::QueueError> {
    queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await
}

/// Q109: The first end of a minute deletes the minutes that are no longer kept, also if finished jobs are kept forever.
#[tokio::test]
async fn at_most_a_day_of_minutes_is_stored() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let builder = SqliteQueue::builder(&path).clock(clock.clone());
    let queue = builder.keep_completed(None).keep_discarded(None).keep_cancelled(None).open().await?;
    for _ in 0..3 {
        complete(&queue, 100).await?;
        clock.advance(MINUTE);
    }
    let file = Connection::open(&path)?;
    let rows = || file.query_row("select count(*) from queue_history", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows()?, 3, "a row for each minute");

    clock.advance(HistoryRequest::KEPT.saturating_sub(MINUTE * 2));
    complete(&queue, 1).await?;

    assert_eq!(rows()?, 3, "the first minute is gone, and a new one is there");
    assert_eq!(history(&queue).await?.iter().map(|row| row.completed).collect::<Vec<_>>(), [100, 100, 1]);
    Ok(())
}

/// Q107: Handles of other processes and later ones see what was counted.
#[tokio::test]
async fn the_history_is_in_the_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let open = || SqliteQueue::builder(&path).clock(clock.clone()).open();
    let queue = open().await?;
    complete(&queue, 7).await?;
    let expected = history(&queue).await?;
    assert_eq!(expected.iter().map(|row| row.completed).collect::<Vec<_>>(), [7]);

    drop(queue);

    assert_eq!(history(&open().await?).await?, expected);
    Ok(())
}
