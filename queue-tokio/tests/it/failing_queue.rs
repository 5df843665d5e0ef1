//! Tests how the hosted loop handles a failing queue: H10.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use queue_core::{Event, JobContext, NewJob, QueueExt as _, Services, State, background_job, jobs};
use queue_testkit::{Fault, Faulty, Operation};
use queue_tokio::TokioClock;

use crate::world::{TestResult, World, keeping_queue, record};

#[background_job]
async fn count(#[inject] runs: &AtomicUsize) {
    runs.fetch_add(1, Ordering::SeqCst);
}

async fn world_with(faults: &[(Operation, u32, Fault)], runs: &Arc<AtomicUsize>) -> World {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for (operation, nth, fault) in faults {
        faulty.faults().on(*operation, *nth, *fault);
    }
    World::over(queue, faulty, jobs![count], Services::builder().singleton_as(runs.clone()), |s| s).await
}

/// H10: failing claims are retried and logged once, not per try, and the loop recovers by itself.
#[tokio::test(start_paused = true)]
async fn failing_claims_are_logged_once_and_retried() -> TestResult {
    let runs = Arc::new(AtomicUsize::new(0));
    let faults: Vec<_> = (1..=20).map(|nth| (Operation::Claim, nth, Fault::FailBefore)).collect();
    let world = world_with(&faults, &runs).await;

    world.queue.enqueue(count::new()).await?;
    let began = tokio::time::Instant::now();
    let mut found = false;
    // Twenty failures take longer, in virtual time, than a recorder's deadline.
    while !found {
        tokio::time::advance(Duration::from_secs(1)).await;
        found = runs.load(Ordering::SeqCst) == 1;
        assert!(began.elapsed() < Duration::from_secs(600), "it never recovered");
    }

    let failed = |event: &Event| matches!(event, Event::QueueFailed { operation: "claim", .. });
    let recovered = |event: &Event| matches!(event, Event::QueueRecovered { operation: "claim" });
    assert_eq!((world.recorder.count(failed), world.recorder.count(recovered)), (1, 1));
    world.host.stop().await?;
    Ok(())
}

/// H10: a settlement that fails, before or after it was applied, is kept and repeated: the job runs once.
#[tokio::test(start_paused = true)]
async fn failing_settlements_are_repeated() -> TestResult {
    for fault in [Fault::FailBefore, Fault::FailAfter] {
        let runs = Arc::new(AtomicUsize::new(0));
        let world = world_with(&[(Operation::Settle, 1, fault), (Operation::Settle, 2, fault)], &runs).await;

        let id = world.queue.enqueue(count::new()).await?.id();
        world.recorder.wait_for_settled::<count>(1).await;

        assert_eq!(record(&world.queue, id).await.state, State::Completed, "{fault:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{fault:?}");
        world.host.stop().await?;
    }
    Ok(())
}

#[background_job(max_attempts = 1)]
async fn chain_badly(#[inject] context: &JobContext) {
    context.then(queue_core::NewJob::from(count::new()).queue("not a name"));
}

/// H10: a followup that cannot be stored discards its own job, and delays no other settlement.
#[tokio::test]
async fn an_invalid_followup_discards_only_its_job() -> TestResult {
    let runs = Arc::new(AtomicUsize::new(0));
    let services = Services::builder().singleton_as(runs.clone());
    let world = World::start(jobs![chain_badly, count], services).await;

    let bad = world.queue.enqueue(chain_badly::new()).await?.id();
    let good = world.queue.enqueue(count::new()).await?.id();
    world.recorder.wait_for_count("settlements", 2, |event| matches!(event, Event::Settled { .. })).await;

    assert_eq!(record(&world.queue, good).await.state, State::Completed);
    let bad = record(&world.queue, bad).await;
    assert_eq!(bad.state, State::Discarded);
    assert!(
        bad.errors[0].message.contains("followups can't be stored")
            && bad.errors[0].message.contains("`queue` has ' '")
    );
    world.host.stop().await?;
    Ok(())
}

/// H10: a transient failure while a refused batch is settled one by one is repeated like any other.
#[tokio::test(start_paused = true)]
async fn a_transient_failure_beside_an_invalid_followup_is_repeated() -> TestResult {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    // The first is the batch, which the queue refuses; the second is the good job alone.
    faulty.faults().on(Operation::Settle, 2, Fault::FailBefore);
    let runs = Arc::new(AtomicUsize::new(0));
    let services = Services::builder().singleton_as(runs.clone());
    let receipts = queue.enqueue_all([NewJob::from(count::new()), chain_badly::new().into()]).await?;

    let world = World::over(queue, faulty, jobs![chain_badly, count], services, |s| s).await;
    world.recorder.wait_for_settled::<count>(1).await;

    assert_eq!(record(&world.queue, receipts[0].id()).await.state, State::Completed);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    world.host.stop().await?;
    Ok(())
}

/// H10: once the queue has worked, the backoff of the next failure is as short as that of the first.
#[tokio::test(start_paused = true)]
async fn backoff_restarts_once_the_queue_has_worked() -> TestResult {
    let runs = Arc::new(AtomicUsize::new(0));
    let faults: Vec<_> = (1..=8).chain([10]).map(|nth| (Operation::Claim, nth, Fault::FailBefore)).collect();
    let world = world_with(&faults, &runs).await;
    world.queue.enqueue(count::new()).await?;
    world.recorder.wait_for_settled::<count>(1).await;
    let began = tokio::time::Instant::now();

    world.queue.enqueue(count::new()).await?;
    world.recorder.wait_for_settled::<count>(2).await;

    assert!(began.elapsed() <= Duration::from_millis(50), "it waited for {:?}", began.elapsed());
    world.host.stop().await?;
    Ok(())
}

/// H10: settlements that the queue refuses for good are dropped, with followups and without: a stop does not wait for them.
#[tokio::test(start_paused = true)]
async fn a_settlement_refused_for_good_is_dropped() -> TestResult {
    #[background_job]
    async fn chain_well(#[inject] context: &JobContext) {
        context.then(count::new());
    }
    let queue = keeping_queue();
    let services = Services::builder().singleton_as(Arc::new(AtomicUsize::new(0)));
    queue.enqueue_all([NewJob::from(count::new()), chain_well::new().into()]).await?;
    let refusing = Refusing { queue: queue.clone(), refused: AtomicUsize::new(0) };
    let refusals = Arc::new(refusing);
    let world = World::over(queue, Arc::clone(&refusals), jobs![chain_well, count], services, |s| s).await;
    world.recorder.wait_for_count("ends", 2, |event| matches!(event, Event::Ended { .. })).await;
    let began = tokio::time::Instant::now();

    world.host.stop().await?;

    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(refusals.refused.load(Ordering::SeqCst) >= 3, "the batch, each alone, and one as discarded");
    Ok(())
}

/// A queue that refuses every settlement.
struct Refusing {
    queue: queue_tokio::MemoryQueue,
    refused: AtomicUsize,
}

#[async_trait::async_trait]
impl queue_core::Queue for Refusing {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<queue_core::Receipt>, queue_core::QueueError> {
        self.queue.push(jobs).await
    }

    async fn claim(
        &self,
        demand: &queue_core::Demand,
    ) -> Result<Vec<queue_core::Delivery>, queue_core::QueueError> {
        self.queue.claim(demand).await
    }

    async fn renew(
        &self,
        heartbeats: &[queue_core::Heartbeat],
    ) -> Result<Vec<queue_core::Renewal>, queue_core::QueueError> {
        self.queue.renew(heartbeats).await
    }

    async fn settle(
        &self,
        _: Vec<queue_core::Settlement>,
    ) -> Result<Vec<queue_core::Settled>, queue_core::QueueError> {
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(queue_core::QueueError::invalid("no settlement is good enough"))
    }
}

/// A queue with a bug.
struct Careless;

#[async_trait::async_trait]
impl queue_core::Queue for Careless {
    async fn push(
        &self,
        _: Vec<queue_core::NewJob>,
    ) -> Result<Vec<queue_core::Receipt>, queue_core::QueueError> {
        Ok(Vec::new())
    }

    async fn claim(
        &self,
        _: &queue_core::Demand,
    ) -> Result<Vec<queue_core::Delivery>, queue_core::QueueError> {
        panic!("unhandled case")
    }

    async fn renew(
        &self,
        _: &[queue_core::Heartbeat],
    ) -> Result<Vec<queue_core::Renewal>, queue_core::QueueError> {
        Ok(Vec::new())
    }

    async fn settle(
        &self,
        _: Vec<queue_core::Settlement>,
    ) -> Result<Vec<queue_core::Settled>, queue_core::QueueError> {
        Ok(Vec::new())
    }
}

/// H16: a queue that panics ends the loop, and the host returns the failure instead of hanging.
#[tokio::test]
async fn a_queue_that_panics_stops_the_host() {
    let service = queue_tokio::QueueService::new(Careless, jobs![]);

    let error = queue_tokio::Host::builder()
        .service(service)
        .build()
        .unwrap()
        .run_until(std::future::pending())
        .await;

    assert_eq!(
        queue_core::backend::error_chain(&error.unwrap_err()),
        "the service `queue` failed: the task `worker` panicked: unhandled case"
    );
}
