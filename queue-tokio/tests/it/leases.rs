//! Tests how the hosted loop keeps leases: H4, H22.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    CancellationToken, Event, InterruptReason, JobContext, JobError, QueueExt as _, Services, Settled, State,
    background_job, jobs,
};
use queue_testkit::{Fault, Faulty, Operation};
use queue_tokio::{HostContext, HostedService as _, QueueService, TokioClock};
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, host, keeping_queue, record};

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[background_job(max_attempts = 2)]
async fn stop_when_lost(#[inject] context: &JobContext) -> Result<(), JobError> {
    if context.fence().0 > 1 {
        return Ok(());
    }
    context.token().cancelled().await;
    assert_eq!(context.interrupt_reason(), Some(&InterruptReason::LeaseLost));
    Err("lost".into())
}

/// H4: leases are renewed as long as jobs are in flight, running or waiting for a worker.
#[tokio::test(start_paused = true)]
async fn running_and_buffered_jobs_are_renewed() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![hold], services, |service| service.concurrency(1).prefetch(3)).await;
    let receipts = world.queue.enqueue_all((0..4).map(|_| hold::new())).await?;
    world.recorder.wait_for_count("claims", 4, |event| matches!(event, Event::Claimed(_))).await;

    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(5)).await;
    }

    gate.add_permits(4);
    world.recorder.wait_for_settled::<hold>(4).await;
    for receipt in receipts {
        let job = record(&world.queue, receipt.id()).await;
        assert_eq!((job.state, job.fence.0), (State::Completed, 1), "{:?}", job.errors);
    }
    world.host.stop().await?;
    Ok(())
}

/// H4: when a lease is lost, the attempt's token fires and its result is not recorded.
#[tokio::test(start_paused = true)]
async fn a_lost_lease_stops_the_attempt_and_voids_its_result() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    faulty.faults().on(Operation::Renew, 1, Fault::LoseLease);
    let world = World::over(queue, faulty, jobs![stop_when_lost], Services::builder(), |s| s).await;

    let id = world.queue.enqueue(stop_when_lost::new()).await?.id();
    world.recorder.wait_for("the loss", |event| matches!(event, Event::LeaseLost(_))).await;
    let settled = world.recorder.wait_for_settled::<stop_when_lost>(2).await;

    let stale =
        settled.iter().filter(|event| matches!(event, Event::Settled { settled: Settled::Stale, .. }));
    assert_eq!(stale.count(), 1, "{settled:?}");
    assert_eq!(record(&world.queue, id).await.state, State::Completed);
    world.host.stop().await?;
    Ok(())
}

/// H4: a worker that cannot reach the queue for the length of a lease abandons its jobs.
#[tokio::test(start_paused = true)]
async fn jobs_that_could_not_be_renewed_in_time_are_abandoned() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for nth in 1..=50 {
        faulty.faults().on(Operation::Renew, nth, Fault::FailBefore);
    }
    let world = World::over(queue, faulty, jobs![stop_when_lost], Services::builder(), |s| s).await;

    let id = world.queue.enqueue(stop_when_lost::new()).await?.id();
    world.recorder.wait_for("the loss", |event| matches!(event, Event::LeaseLost(_))).await;
    world.recorder.wait_for_settled::<stop_when_lost>(2).await;

    assert_eq!(record(&world.queue, id).await.state, State::Completed);
    world.host.stop().await?;
    Ok(())
}

/// H22: a host that is dropped without being stopped loses no job: other hosts run them.
#[tokio::test(start_paused = true)]
async fn a_dropped_host_loses_no_job() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = || Services::builder().singleton_as(gate.clone());
    let world = World::start(jobs![hold], services()).await;
    let id = world.queue.enqueue(hold::new()).await?.id();
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    drop(world.host);
    gate.add_permits(2);
    let recorder = queue_testkit::Recorder::with_deadline(Duration::from_secs(120));
    let service = QueueService::new(world.queue.clone(), jobs![hold]).observe(recorder.clone());
    let second = host(services().build()?, service).start().await?;

    let finished = async {
        while record(&world.queue, id).await.state != State::Completed {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), finished).await?;
    second.stop().await?;
    Ok(())
}

/// H22: when the runtime is dropped, its leases are not renewed: the job is delivered again.
#[test]
fn a_dropped_runtime_renews_nothing() -> TestResult {
    let queue = keeping_queue();
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let recorder = queue_testkit::Recorder::new();
    let host = doomed.block_on(async {
        let services = Services::builder().singleton(Semaphore::new(0)).build()?;
        let service = QueueService::new(queue.clone(), jobs![hold])
            .lease(Duration::from_millis(200))
            .observe(recorder.clone());
        let host = host(services, service).start().await?;
        queue.enqueue(hold::new()).await?;
        recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(host)
    })?;

    doomed.shutdown_background();
    drop(host);

    let other = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let demand = queue_core::Demand::new("default", 1).wait(Duration::from_secs(20));
    let deliveries = other.block_on(queue_core::Queue::claim(&queue, &demand))?;
    assert_eq!(deliveries.len(), 1, "the lease should have expired");
    Ok(())
}

/// H4: a lease counts from when its renewal was requested, however long the answer took.
#[tokio::test(start_paused = true)]
async fn a_renewal_counts_from_its_request() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    faulty.faults().on(Operation::Renew, 1, Fault::Delay(Duration::from_secs(9)));
    for nth in 2..=50 {
        faulty.faults().on(Operation::Renew, nth, Fault::FailBefore);
    }
    let world = World::over(queue, faulty, jobs![stop_when_lost], Services::builder(), |s| s).await;
    world.queue.enqueue(stop_when_lost::new()).await?;
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
    let began = tokio::time::Instant::now();

    world.recorder.wait_for("the loss", |event| matches!(event, Event::LeaseLost(_))).await;

    // The renewal was requested after 10 s and lasted for 30 s; the next try after that finds the lease expired.
    assert!((40..49).contains(&began.elapsed().as_secs()), "abandoned after {:?}", began.elapsed());
    world.host.stop().await?;
    Ok(())
}

/// H4: an attempt that has ended, and whose settlement's answer was lost, has not lost its lease.
#[tokio::test(start_paused = true)]
async fn a_job_that_has_ended_loses_no_lease() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for nth in 1..=12 {
        faulty.faults().on(Operation::Settle, nth, Fault::FailAfter);
    }
    let services = Services::builder().singleton(Semaphore::new(1));
    let world = World::over(queue, faulty, jobs![hold], services, |s| s).await;
    let began = tokio::time::Instant::now();

    let id = world.queue.enqueue(hold::new()).await?.id();
    world.recorder.wait_for_settled::<hold>(1).await;

    assert!(began.elapsed() > Duration::from_secs(10), "a renewal came in between");
    assert_eq!(world.recorder.count(|event| matches!(event, Event::LeaseLost(_))), 0);
    assert_eq!(record(&world.queue, id).await.state, State::Completed);
    world.host.stop().await?;
    Ok(())
}

/// H22: a loop whose future is dropped drops its jobs and releases them, so that their leases need not expire.
#[tokio::test(start_paused = true)]
async fn a_dropped_loop_releases_its_running_jobs() -> TestResult {
    let (queue, recorder) = (keeping_queue(), queue_testkit::Recorder::new());
    let services = Services::builder().singleton(Semaphore::new(0)).build()?;
    let context = HostContext::new(services, CancellationToken::new(), Duration::ZERO);
    let mut service = QueueService::new(queue.clone(), jobs![hold]).observe(recorder.clone());
    let id = queue.enqueue(hold::new()).await?.id();
    tokio::select! {
        ended = service.run(&context) => panic!("it ended by itself: {ended:?}"),
        _ = recorder.wait_for("the start", |event| matches!(event, Event::Started(_))) => {}
    }
    let began = tokio::time::Instant::now();

    recorder.wait_for_settled::<hold>(1).await;

    assert_eq!(began.elapsed(), Duration::ZERO);
    let job = record(&queue, id).await;
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}
