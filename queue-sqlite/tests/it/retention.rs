//! The queue removes old finished jobs by itself.

use std::time::Duration;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin as _, Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn finish(queue: &SqliteQueue, transition: Transition) -> Result<(), queue_core::QueueError> {
    queue.enqueue(work::new(1)).await?;
    let deliveries = queue.claim(&Demand::new("default", 1)).await?;
    let settlements = deliveries.into_iter().map(|job| Settlement::new(job.lease, transition.clone()));
    queue.settle(settlements.collect()).await?;
    Ok(())
}

/// Each finished state has its own age, and no row of a removed job remains.
#[tokio::test]
async fn finished_jobs_are_removed_when_they_are_old_enough() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let mut queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
    for transition in [
        Transition::complete(),
        Transition::Discard { error: "no".into() },
        Transition::Cancel { reason: "why".into() },
    ] {
        finish(&queue, transition).await?;
    }

    let mut left = Vec::new();
    for hours in [23, 2, 24 * 6] {
        clock.advance(HOUR * hours);
        // The first transaction of a queue prunes.
        queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
        queue.pause(&"other".into()).await?;
        left.push(queue.list(&Filter::all(), &PageRequest::first(10)).await?.jobs.len());
    }

    assert_eq!(left, [3, 1, 0], "completed and cancelled jobs stay a day, discarded ones a week");
    let connection = Connection::open(&path)?;
    for table in ["queue_jobs", "queue_payloads", "queue_failures"] {
        let rows: i64 =
            connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))?;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

/// After a full batch of old jobs, the next one follows without a pause.
#[tokio::test]
async fn many_old_jobs_are_removed_without_a_pause() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
    queue.enqueue_all((0..2_500).map(work::new)).await?;
    let claimed = queue.claim(&Demand::new("default", 2_500)).await?;
    queue
        .settle(claimed.into_iter().map(|job| Settlement::new(job.lease, Transition::complete())).collect())
        .await?;
    drop(queue);
    clock.advance(HOUR * 25);
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;

    // Each of these is a transaction, the first one of this queue among them.
    for _ in 0..3 {
        queue.pause(&"other".into()).await?;
    }

    assert_eq!(queue.list(&Filter::all(), &PageRequest::first(10)).await?.jobs.len(), 0);
    Ok(())
}
