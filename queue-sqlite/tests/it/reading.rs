//! Readers do not wait for writers.

use std::time::Duration;

use queue_core::{Admin as _, Demand, Queue as _, QueueExt as _, State};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

#[tokio::test]
async fn a_reader_does_not_wait_for_a_writer() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    let id = queue.enqueue(work::new(1)).await?.id();
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate; update queue_jobs set priority = 9")?;

    let job = queue.get(id).await?.ok_or("the job is gone")?;

    assert_eq!((job.priority, queue.counts().await?.len()), (0, 1));
    Ok(())
}

/// Q12, Q23: A reader sees due jobs and expired leases at once, even while the writer can't record them.
#[tokio::test]
async fn a_reader_sees_due_jobs_while_the_file_is_locked() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
    let expired = queue.enqueue(work::new(1)).max_attempts(1).await?.id();
    queue.claim(&Demand::new("default", 1)).await?;
    let due = queue.enqueue(work::new(2)).delay(Duration::from_secs(20)).await?.id();
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;

    clock.advance(Duration::from_secs(30));

    let (expired, due) = (queue.get(expired).await?, queue.get(due).await?);
    let states = [expired.as_ref(), due.as_ref()].map(|job| job.map(|job| job.state));
    assert_eq!(states, [Some(State::Discarded), Some(State::Available)]);
    let errors = expired.map(|job| job.errors).unwrap_or_default();
    assert!(errors.first().is_some_and(|error| error.message.contains("expired")), "{errors:?}");
    let counts = queue.counts().await?.remove(0);
    assert_eq!((counts.of(State::Discarded), counts.of(State::Available)), (1, 1));
    Ok(())
}
