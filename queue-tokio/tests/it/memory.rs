//! What the in-memory queue promises beyond the contract.

use std::time::Duration;

use queue_core::{Demand, NewJob, Queue as _, QueueErrorKind, QueueExt as _, background_job};
use queue_tokio::TokioQueue;

use crate::world::TestResult;

#[background_job]
async fn job() {}

#[tokio::test(start_paused = true)]
async fn try_enqueue_answers_full_at_once() -> TestResult {
    let queue = TokioQueue::bounded(1);
    queue.try_enqueue(job::new())?;

    let error = queue.try_enqueue(job::new()).unwrap_err();

    assert_eq!(error.kind(), QueueErrorKind::Full);
    assert_eq!(error.to_string(), "the queue is full: 1 of 1 jobs are unfinished");
    Ok(())
}

/// Q12: a delayed job wakes the claimer by the clock, with nothing else going on.
#[tokio::test(start_paused = true)]
async fn a_delayed_job_wakes_its_claimer_by_the_clock() -> TestResult {
    let queue = TokioQueue::new();
    queue.enqueue(job::new()).delay(Duration::from_secs(90)).await?;
    let began = tokio::time::Instant::now();

    let deliveries = queue.claim(&Demand::new("default", 1)).await?;

    assert_eq!(deliveries.len(), 1);
    assert_eq!(began.elapsed().as_secs(), 90);
    Ok(())
}

#[tokio::test]
async fn a_demand_without_a_queue_is_refused_rather_than_waited_for() {
    let error = TokioQueue::new().claim(&Demand::of([], 1)).await.unwrap_err();

    assert_eq!(error.kind(), QueueErrorKind::Invalid);
}

#[tokio::test]
async fn a_job_needs_nothing_but_a_name_and_a_body() -> TestResult {
    let queue = TokioQueue::unbounded();
    let jobs = (0..3).map(|_| NewJob::from(job::new())).collect();

    let receipts = queue.push(jobs).await?;

    let deliveries = queue.claim(&Demand::new("default", 10)).await?;
    assert!(receipts.iter().zip(&deliveries).all(|(receipt, delivery)| receipt.id() == delivery.id()));
    Ok(())
}
