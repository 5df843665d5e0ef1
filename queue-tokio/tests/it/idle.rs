//! Tests the wait until a queue is idle.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{
    Admin as _, Demand, Queue as _, QueueErrorKind, QueueExt as _, Settlement, Transition, background_job,
};
use queue_tokio::{IdleExt as _, MemoryQueue};
use tokio::time::Instant;

use crate::world::TestResult;

const HOUR: Duration = Duration::from_secs(3600);

#[background_job]
async fn job() {}

/// Q98
#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_the_last_job_that_matches() -> TestResult {
    let queue = MemoryQueue::new();
    queue.enqueue(job::new()).delay(Duration::from_secs(90)).await?;
    queue.enqueue(job::new()).queue("other").await?;
    let work = async {
        let deliveries = queue.claim(&Demand::new("default", 1)).await?;
        let ends = deliveries.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        queue.settle(ends.collect()).await
    };
    let began = Instant::now();
    let filter = Filter::all().queue("default");

    let (settled, idle) = tokio::join!(work, queue.wait_until_idle(&filter, HOUR));

    settled?;
    idle?;
    let waited = began.elapsed();
    assert!((Duration::from_secs(90)..Duration::from_secs(91)).contains(&waited), "{waited:?}");
    queue.wait_until_idle(&filter, Duration::ZERO).await?;
    Ok(())
}

/// Q98
#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_named_at_the_timeout() -> TestResult {
    let queue = MemoryQueue::new();
    let late = queue.enqueue(job::new()).queue("mail").delay(2 * HOUR).await?;
    let first = queue.enqueue(job::new()).queue("mail").await?;
    let began = Instant::now();

    let error = queue.wait_until_idle(&Filter::all().queue("mail"), HOUR).await.unwrap_err();

    assert_eq!(began.elapsed(), HOUR);
    assert_eq!(error.kind(), QueueErrorKind::TimedOut);
    let text = format!("after 3600s, job {} (`job`) is still available (queue `mail`)", first.id());
    assert_eq!(error.to_string(), text);
    queue.cancel(first.id(), "not needed").await?;
    queue.cancel(late.id(), "not needed").await?;
    queue.wait_until_idle(&Filter::all(), Duration::ZERO).await?;
    Ok(())
}

/// Q98
#[tokio::test(start_paused = true)]
async fn finished_jobs_that_match_do_not_keep_a_queue_busy() -> TestResult {
    let queue = MemoryQueue::new();
    let job = queue.enqueue(job::new()).await?;
    queue.cancel(job.id(), "not needed").await?;

    queue.wait_until_idle(&Filter::all(), Duration::ZERO).await?;

    assert!(queue.get(job.id()).await?.is_some(), "it is kept");
    Ok(())
}

/// Q98: A tick that is not due is no work left, and a later job is.
#[tokio::test(start_paused = true)]
async fn a_tick_that_waits_does_not_keep_a_queue_busy() -> TestResult {
    let queue = MemoryQueue::new();
    let tick = || queue.enqueue(job::new()).queue("schedule:shop");
    tick().delay(HOUR).await?;

    queue.wait_until_idle(&Filter::all(), Duration::ZERO).await?;
    queue.idle().await;

    let later = queue.enqueue(job::new()).delay(2 * HOUR).await?;
    let found = queue.unfinished_job(&Filter::all()).await?.expect("a job is left");
    assert_eq!(found.id, later.id());
    assert!(queue.unfinished_job(&Filter::all().queue("schedule:shop")).await?.is_none());
    let ends_with_the_job = async {
        queue.cancel(later.id(), "not needed").await?;
        tick().await
    };
    let ((), due) = tokio::join!(queue.idle(), ends_with_the_job);
    let due = due?;
    let found = queue.unfinished_job(&Filter::all()).await?.expect("a tick is due");
    assert_eq!(found.id, due.id());
    Ok(())
}
