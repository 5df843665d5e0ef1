//! Tests what the hosted loop prefetches: no job waits behind a long one while others could run it (H4, H13).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use queue_core::{
    Admin as _, Event, NewJob, QueueExt as _, Services, State, Transition, background_job, jobs,
};
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, far_away, keeping_queue, record};

#[background_job]
async fn count(#[inject] runs: &AtomicUsize) {
    runs.fetch_add(1, Ordering::SeqCst);
}

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

async fn executing(world: &World) -> u64 {
    let counts = world.queue.counts().await.unwrap();
    counts.iter().map(|queue| queue.of(State::Executing)).sum()
}

/// Empty jobs over a slow queue are prefetched; then come long ones.
#[tokio::test(start_paused = true)]
async fn prefetched_jobs_that_find_no_worker_are_released() -> TestResult {
    let (runs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let services = Services::builder().singleton_as(runs.clone()).singleton_as(gate.clone());
    let queue = keeping_queue();
    let far = far_away(&queue);
    queue.enqueue_all((0..47).map(|_| count::new())).await?;
    let held = queue.enqueue_all((0..40).map(|_| NewJob::from(hold::new()))).await?;

    let world = World::over(queue, far, jobs![count, hold], services, |service| service.concurrency(2)).await;
    let released = |event: &Event| matches!(event, Event::Settled { transition: Transition::Release, .. });
    world.recorder.wait_for("a released job", released).await;

    while executing(&world).await > 2 {
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 47);
    gate.add_permits(40);
    world.recorder.wait_for_settled::<hold>(40).await;
    for receipt in held {
        let job = record(&world.queue, receipt.id()).await;
        assert_eq!(job.attempt, 1, "a job that waited here counts no attempt");
    }
    world.host.stop().await?;
    Ok(())
}

/// With a queue that answers at once and jobs that take time, a claim takes as many as can start.
#[tokio::test(start_paused = true)]
async fn jobs_that_take_time_are_not_prefetched() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![hold], services, |service| service.concurrency(4)).await;
    world.queue.enqueue_all((0..100).map(|_| hold::new())).await?;

    for done in 1..=100 {
        gate.add_permits(1);
        world.recorder.wait_for_settled::<hold>(done).await;
        let executing = executing(&world).await;
        assert!(executing <= 4, "{executing} jobs are claimed for four workers");
    }
    world.host.stop().await?;
    Ok(())
}

/// A claim made while a long job runs may bring no more jobs than there are workers, and they may still find none free.
#[tokio::test(start_paused = true)]
async fn a_prefetched_job_that_waits_100_ms_is_released() -> TestResult {
    let (runs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let services = Services::builder().singleton_as(runs.clone()).singleton_as(gate.clone());
    let queue = keeping_queue();
    let far = far_away(&queue);
    queue.enqueue_all((0..47).map(|_| count::new())).await?;
    let world = World::over(queue, far, jobs![count, hold], services, |service| service.concurrency(2)).await;
    world.recorder.wait_for_settled::<count>(47).await;
    world.queue.enqueue(hold::new()).await?;
    world
        .recorder
        .wait_for("the first", |event| matches!(event, Event::Started(job) if job.name == "hold"))
        .await;
    // From here on the claimer waits again.
    tokio::time::advance(Duration::from_millis(20)).await;

    world.queue.enqueue_all((0..2).map(|_| hold::new())).await?;

    let released = |event: &Event| matches!(event, Event::Settled { transition: Transition::Release, .. });
    world.recorder.wait_for("a released job", released).await;
    gate.add_permits(3);
    world.recorder.wait_for_count("completions", 3, |event| {
        matches!(event, Event::Settled { job, transition: Transition::Complete { .. }, .. } if job.name == "hold")
    }).await;
    world.host.stop().await?;
    Ok(())
}
