//! Tests that a running service stores the progress of its jobs: Q86.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Event, JobContext, JobProgress, QueueExt as _, Services, background_job, jobs};
use queue_testkit::{Fault, Faulty, Operation};
use queue_tokio::TokioClock;
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, keeping_queue, record};

#[background_job]
async fn import(#[inject] context: &JobContext, #[inject] gate: &Semaphore) {
    context.progress(10, "begun");
    context.progress(20, "two of ten");
    gate.acquire().await.unwrap().forget();
    context.progress(90, "nine of ten");
    gate.acquire().await.unwrap().forget();
}

/// Moves the clock by two renewal intervals.
async fn pass_two_renewals() {
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(5)).await;
        // The renewer is a task of this runtime while its time is paused.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

/// Q86
#[tokio::test(start_paused = true)]
async fn the_progress_of_a_running_job_is_stored_with_the_next_renewal() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![import], services, |service| service).await;
    let id = world.queue.enqueue(import::new()).await?.id();
    let reported = |wanted| move |event: &Event| matches!(event, Event::Progressed { percent, .. } if *percent == wanted);
    world.recorder.wait_for("the first progress", reported(20)).await;

    pass_two_renewals().await;

    assert_eq!(
        record(&world.queue, id).await.progress,
        Some(JobProgress::new(20, "two of ten")),
        "the latest only"
    );
    gate.add_permits(1);
    world.recorder.wait_for("the next progress", reported(90)).await;
    pass_two_renewals().await;
    assert_eq!(record(&world.queue, id).await.progress, Some(JobProgress::new(90, "nine of ten")));
    gate.add_permits(1);
    world.recorder.wait_for_settled::<import>(1).await;
    assert_eq!(record(&world.queue, id).await.progress, None);
    world.host.stop().await?;
    Ok(())
}

/// Q86
#[tokio::test(start_paused = true)]
async fn progress_that_a_failed_renewal_carried_is_sent_again() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    faulty.faults().on(Operation::Renew, 1, Fault::FailBefore);
    let world = World::over(queue, faulty, jobs![import], services, |service| service).await;
    let id = world.queue.enqueue(import::new()).await?.id();
    world.recorder.wait_for("the failure", |event| matches!(event, Event::QueueFailed { .. })).await;

    pass_two_renewals().await;

    assert_eq!(record(&world.queue, id).await.progress, Some(JobProgress::new(20, "two of ten")));
    gate.add_permits(2);
    world.recorder.wait_for_settled::<import>(1).await;
    world.host.stop().await?;
    Ok(())
}
