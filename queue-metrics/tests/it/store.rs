//! Tests the metrics of the store and of leases: durations of calls, failures, lost and late leases, interrupted attempts.

use std::time::Duration;

use queue_core::{Event, JobContext, QueueExt as _, Services, background_job, jobs};
use queue_testkit::{Fault, Faulty, Operation, Recorder};
use queue_tokio::{Host, MemoryQueue, QueueService, TokioClock};

use crate::page::{Page, TestResult};

#[background_job]
async fn wait_for_the_stop(#[inject] context: &JobContext) -> Result<(), &'static str> {
    context.token().cancelled().await;
    Err("it had to stop")
}

#[background_job]
async fn nothing() {}

fn faulty(
    queue: &MemoryQueue,
    operation: Operation,
    calls: std::ops::RangeInclusive<u32>,
    fault: Fault,
) -> Faulty<MemoryQueue> {
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for nth in calls {
        faulty.faults().on(operation, nth, fault);
    }
    faulty
}

#[tokio::test(start_paused = true)]
async fn failed_calls_of_the_store_are_counted_by_operation() -> TestResult {
    let (page, memory) = (Page::new(), MemoryQueue::new());
    let served = faulty(&memory, Operation::Claim, 1..=3, Fault::FailBefore);
    let pushed = page.metrics.count(faulty(&memory, Operation::Push, 1..=1, Fault::FailBefore));

    assert!(pushed.enqueue(nothing::new()).await.is_err());
    pushed.enqueue(nothing::new()).await?;
    QueueService::new(served, jobs![nothing]).observe(page.metrics.clone()).run_until(memory.idle()).await?;

    let failures = |operation: &str| {
        page.value(&format!(r#"queue_store_failures_total{{operation="{operation}"}}"#)).unwrap_or_default()
    };
    assert_eq!(["claim", "push", "settle", "renew"].map(failures), [3.0, 1.0, 0.0, 0.0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn claims_that_found_a_job_and_settlements_are_timed() -> TestResult {
    let (page, memory) = (Page::new(), MemoryQueue::new());
    let served = faulty(&memory, Operation::Claim, 1..=1, Fault::Delay(Duration::from_secs(2)));
    memory.enqueue_all([nothing::new(), nothing::new()]).await?;
    tokio::time::advance(Duration::from_secs(3)).await;

    let recorder = Recorder::new();
    let service =
        QueueService::new(served, jobs![nothing]).observe(page.metrics.clone()).observe(recorder.clone());
    let running = Host::builder().service(service).build()?.start().await?;
    recorder.wait_for_settled::<nothing>(2).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    memory.enqueue(nothing::new()).await?;
    recorder.wait_for_settled::<nothing>(3).await;
    running.stop().await?;

    assert_eq!(page.value("queue_claim_seconds_count"), Some(1.0), "the claim that waited is left out");
    assert_eq!(page.value("queue_claim_seconds_sum"), Some(2.0));
    assert_eq!(page.value("queue_claimed_per_trip_sum"), Some(3.0));
    assert!(page.value("queue_settle_seconds_count") >= Some(1.0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lost_leases_late_renewals_and_interrupted_attempts_are_counted() -> TestResult {
    let (page, memory, recorder) =
        (Page::new(), MemoryQueue::new(), Recorder::with_deadline(Duration::from_secs(300)));
    // The first renewal comes in time; then the store is away for longer than a lease.
    let served = faulty(&memory, Operation::Renew, 2..=10, Fault::FailBefore);
    served.faults().on(Operation::Renew, 11, Fault::LoseLease);
    let service = QueueService::new(served, jobs![wait_for_the_stop])
        .observe(page.metrics.clone())
        .observe(recorder.clone());
    let running =
        Host::builder().services(Services::builder().build()?).service(service).build()?.start().await?;

    memory.enqueue(wait_for_the_stop::new()).await?;
    recorder.wait_for("the loss", |event| matches!(event, Event::LeaseLost(_))).await;
    recorder.wait_for_ended::<wait_for_the_stop>(1).await;
    running.stop().await?;

    assert_eq!(page.value("queue_leases_lost_total"), Some(1.0));
    assert_eq!(page.value("queue_renewals_late_total"), Some(1.0));
    assert!(page.value("queue_interrupted_total") >= Some(1.0));
    Ok(())
}
