//! Tests how the hosted loop stops: H13, H14, H74.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Admin as _, Event, JobContext, Outcome, QueueExt as _, Services, State, Worker, background_job, jobs,
};
use queue_testkit::{Fault, Faulty, Operation};
use queue_tokio::{Host, MemoryQueue, QueueService, TokioClock};
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, keeping_queue, record};

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[background_job]
async fn wait_for_token(#[inject] context: &JobContext) -> Result<(), &'static str> {
    context.token().cancelled().await;
    Err("told to stop")
}

#[background_job]
async fn never_stop() {
    std::future::pending::<()>().await;
}

fn started(count: usize) -> (usize, impl Fn(&Event) -> bool) {
    (count, |event: &Event| matches!(event, Event::Started(_)))
}

/// H13: prefetched jobs that have not started are released at once, rather than left to expire.
#[tokio::test(start_paused = true)]
async fn unstarted_jobs_are_released_at_shutdown() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![hold], services, |service| service.concurrency(1).prefetch(3)).await;
    let receipts = world.queue.enqueue_all((0..4).map(|_| hold::new())).await?;
    world.recorder.wait_for_count("claims", 4, |event| matches!(event, Event::Claimed(_))).await;

    let (queue, gate) = (world.queue.clone(), gate.clone());
    let stop = tokio::spawn(world.host.stop());
    world.recorder.wait_for_settled::<hold>(3).await;
    for receipt in &receipts[1..] {
        let job = record(&queue, receipt.id()).await;
        assert_eq!((job.state, job.attempt, job.fence.0), (State::Available, 0, 1));
    }
    gate.add_permits(1);

    let stopped = stop.await??;
    assert!(stopped.interrupted.is_empty(), "the running job had time to end: {:?}", stopped.interrupted);
    assert_eq!(record(&queue, receipts[0].id()).await.state, State::Completed);
    Ok(())
}

/// H14: after the shutdown timeout the token fires, and a job that fails then is released uncounted.
#[tokio::test(start_paused = true)]
async fn the_tokens_of_running_jobs_fire_after_the_timeout() -> TestResult {
    let world = World::start(jobs![wait_for_token], Services::builder()).await;
    let id = world.queue.enqueue(wait_for_token::new()).await?.id();
    let (count, fits) = started(1);
    world.recorder.wait_for_count("starts", count, fits).await;
    let began = tokio::time::Instant::now();

    let stopped = world.host.stop().await?;

    assert_eq!(began.elapsed().as_secs(), 5, "the shutdown timeout, and no more");
    assert!(stopped.interrupted[0].starts_with("wait_for_token ("), "{:?}", stopped.interrupted);
    let job = record(&world.queue, id).await;
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}

/// H14: a job that does not stop within its grace period is dropped and released, uncounted.
#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_stop_is_dropped_and_released() -> TestResult {
    let world =
        World::with(jobs![never_stop], Services::builder(), |service| service.grace(Duration::from_secs(2)))
            .await;
    let id = world.queue.enqueue(never_stop::new()).await?.id();
    let (count, fits) = started(1);
    world.recorder.wait_for_count("starts", count, fits).await;
    let began = tokio::time::Instant::now();

    let stopped = world.host.stop().await?;

    assert_eq!(began.elapsed().as_secs(), 7, "the shutdown timeout and the grace");
    assert_eq!(stopped.interrupted.len(), 1);
    let job = record(&world.queue, id).await;
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}

/// H14: after a stop no claim is made.
#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_after_a_stop() -> TestResult {
    let world = World::start(jobs![hold], Services::builder().singleton(Semaphore::new(0))).await;
    world.host.stop().await?;

    let id = world.queue.enqueue(hold::new()).await?.id();
    tokio::time::advance(Duration::from_secs(60)).await;

    assert_eq!(record(&world.queue, id).await.fence.0, 0);
    assert_eq!(world.queue.counts().await?[0].of(State::Available), 1);
    Ok(())
}

/// H14: the last settlements are flushed, even if the queue fails at that moment.
#[tokio::test(start_paused = true)]
async fn the_last_settlements_are_repeated_until_they_are_recorded() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for nth in 1..=3 {
        faulty.faults().on(Operation::Settle, nth, Fault::FailBefore);
    }
    let services = Services::builder().singleton(Semaphore::new(1));
    let world = World::over(queue, faulty, jobs![hold], services, |service| service).await;
    let id = world.queue.enqueue(hold::new()).await?.id();
    world.recorder.wait_for_ended::<hold>(1).await;

    world.host.stop().await?;

    assert_eq!(record(&world.queue, id).await.state, State::Completed);
    Ok(())
}

/// Middleware that never finishes an attempt.
struct Stuck;

#[async_trait]
impl Worker for Stuck {
    async fn work(&self, _: &JobContext) -> Outcome {
        std::future::pending().await
    }
}

/// H14, H70: middleware that hangs is dropped a second after the abort, and its job is released, uncounted.
#[tokio::test(start_paused = true)]
async fn middleware_that_hangs_is_dropped_and_its_job_released() -> TestResult {
    let world = World::with(jobs![never_stop], Services::builder(), |service| {
        service.grace(Duration::from_secs(2)).layer(|_| Stuck)
    })
    .await;
    let id = world.queue.enqueue(never_stop::new()).await?.id();
    let (count, fits) = started(1);
    world.recorder.wait_for_count("starts", count, fits).await;
    let began = tokio::time::Instant::now();

    let stopped = world.host.stop().await?;

    assert_eq!(
        began.elapsed().as_secs(),
        5 + 2 + 1,
        "the shutdown timeout, the grace, and the second that middleware has"
    );
    assert_eq!(stopped.interrupted.len(), 1);
    let job = record(&world.queue, id).await;
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}

#[background_job]
async fn take_its_time_to_stop(#[inject] context: &JobContext) {
    context.token().cancelled().await;
    context.sleep(Duration::from_secs(50)).await; // virtual
}

/// H14: the host waits for a grace period that is longer than everything else in a stop.
#[tokio::test(start_paused = true)]
async fn a_long_grace_is_granted_by_the_host_too() -> TestResult {
    let world = World::with(jobs![take_its_time_to_stop], Services::builder(), |service| {
        service.grace(Duration::from_secs(60))
    })
    .await;
    let id = world.queue.enqueue(take_its_time_to_stop::new()).await?.id();
    let (count, fits) = started(1);
    world.recorder.wait_for_count("starts", count, fits).await;

    let stopped = world.host.stop().await?;

    assert_eq!(record(&world.queue, id).await.state, State::Completed);
    assert_eq!(stopped.interrupted.len(), 1, "the job, and not the service: {:?}", stopped.interrupted);
    Ok(())
}

/// H74: when a stop has returned, no task of the service keeps its queue, so the caller may move or remove what it stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_keeps_the_queue_after_a_stop() -> TestResult {
    for _ in 0..50 {
        let queue = Arc::new(MemoryQueue::new());
        let kept = Arc::downgrade(&queue);
        let running =
            Host::builder().service(QueueService::new(queue, jobs![never_stop])).build()?.start().await?;

        running.stop().await?;

        assert!(kept.upgrade().is_none(), "a task keeps the queue");
    }
    Ok(())
}
