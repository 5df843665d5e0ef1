//! Tests a service that runs without a host, and the wait for an idle queue.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use queue_core::{Admin as _, JobContext, JobError, QueueExt as _, State, background_job, jobs};
use queue_tokio::{HostError, MemoryQueue, QueueService};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::world::{TestResult, keeping_queue};

#[background_job(max_attempts = 3, backoff = fixed("1m"))]
async fn succeed_at_last(#[inject] context: &JobContext) -> Result<(), JobError> {
    if context.attempt() == context.max_attempts() { Ok(()) } else { Err("not yet".into()) }
}

#[background_job]
async fn needs_a_service(#[inject] number: &u64) {
    let _: &u64 = number;
}

#[tokio::test(start_paused = true)]
async fn a_service_runs_until_its_queue_is_idle() -> TestResult {
    let queue = keeping_queue();
    let retried = queue.enqueue(succeed_at_last::new()).await?;
    queue.enqueue(succeed_at_last::new()).delay(Duration::from_secs(3600)).await?;
    let began = Instant::now();

    let stopped = QueueService::new(queue.clone(), jobs![succeed_at_last]).run_until(queue.idle()).await?;

    assert_eq!(
        queue.get(retried.id()).await?.map(|job| (job.state, job.attempt)),
        Some((State::Completed, 3))
    );
    assert_eq!(began.elapsed().as_secs(), 3600 + 2 * 60, "the delay, and two waits before retries");
    assert!(stopped.interrupted.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_stopped_lets_its_job_end() -> TestResult {
    let queue = keeping_queue();
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let job = queue
        .enqueue_fn(async move |scope| {
            begins.notify_one();
            scope.sleep(Duration::from_secs(5)).await; // virtual
        })
        .await?;

    let service = QueueService::new(queue.clone(), jobs![succeed_at_last]);
    let stopped = service.run_until(begun.notified()).await?;

    assert_eq!(queue.get(job.id()).await?.map(|job| job.state), Some(State::Completed));
    assert!(stopped.interrupted.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_missing_service_is_reported_before_a_job_runs() -> TestResult {
    let queue = MemoryQueue::new();
    let job = queue.enqueue(needs_a_service::new()).await?;

    let error = QueueService::new(queue.clone(), jobs![needs_a_service]).run_until(queue.idle()).await;

    let shown = format!("{:?}", error.as_ref().err());
    assert!(
        shown.starts_with("Some(1 problem found before the start:\n  1. job `needs_a_service`"),
        "{shown}"
    );
    let Err(HostError::Invalid(problems)) = error else { panic!("{error:?}") };
    assert!(problems.to_string().contains("u64"), "{problems}");
    assert_eq!(queue.get(job.id()).await?.map(|job| job.state), Some(State::Available));
    queue.delete(job.id()).await?;
    Ok(())
}

#[tokio::test]
async fn an_empty_queue_is_idle_and_one_whose_job_is_deleted_becomes_so() -> TestResult {
    let queue = MemoryQueue::new();
    queue.idle().await;
    let job = queue.enqueue(succeed_at_last::new()).await?;
    let mut idle = pin!(queue.idle());
    assert!(poll_fn(|cx| Poll::Ready(idle.as_mut().poll(cx).is_pending())).await);

    queue.delete(job.id()).await?;

    idle.await;
    Ok(())
}

#[tokio::test]
async fn a_wait_that_was_dropped_does_not_delay_the_others() -> TestResult {
    let queue = MemoryQueue::new();
    let job = queue.enqueue(succeed_at_last::new()).await?;
    {
        let mut dropped = pin!(queue.idle());
        assert!(poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_pending())).await);
    }
    let mut idle = pin!(queue.idle());
    assert!(poll_fn(|cx| Poll::Ready(idle.as_mut().poll(cx).is_pending())).await);

    queue.cancel(job.id(), "enough").await?;

    idle.await;
    Ok(())
}
