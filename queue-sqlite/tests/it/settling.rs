//! A settlement ends only the attempt of its own lease, whichever handle of the file has claimed the job.

use queue_core::{Admin as _, Demand, Queue as _, Settled, Settlement, State, Transition};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;

use crate::fixture::{TestResult, work};

#[tokio::test]
async fn a_settlement_does_not_end_another_job_that_has_the_row() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    queue.push(vec![work::new(1).into()]).await?;
    let claimed = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    // Another program replaces the job, and the new one has as many claims.
    Connection::open(&path)?.execute("update queue_jobs set id = randomblob(16)", [])?;

    let settled = queue.settle(vec![Settlement::new(claimed.lease, Transition::complete())]).await?;

    assert_eq!(settled, [Settled::Stale]);
    let states: Vec<_> = queue.summary().await?.iter().map(|queue| queue.of(State::Executing).jobs).collect();
    assert_eq!(states, [1], "the job that has the row still executes");
    Ok(())
}

#[tokio::test]
async fn a_job_that_another_handle_has_claimed_is_settled() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let (claimer, settler) = (SqliteQueue::open(&path).await?, SqliteQueue::open(&path).await?);
    claimer.push(vec![work::new(1).into()]).await?;
    let lease = claimer.claim(&Demand::new("default", 1)).await?.remove(0).lease;
    let end = || vec![Settlement::new(lease.clone(), Transition::complete())];

    assert_eq!(settler.settle(end()).await?, [Settled::Applied]);
    assert_eq!(claimer.settle(end()).await?, [Settled::Stale], "its handle remembers the claim");
    Ok(())
}
