//! Tests the hosted loop over queues with limits against H95 and H96.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Reason, UsageRequest};
use queue_core::backend::Decorator;
use queue_core::{
    Admin as _, Event, JobError, Limit, LimitScope, NewJob, Queue, QueueError, QueueExt as _, QueueLimits,
    QueueName, Receipt, Services, background_job, jobs,
};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::world::{TestResult, World, keeping_queue, record};

const SECOND: Duration = Duration::from_secs(1);

#[background_job(partition = "{tenant}")]
async fn hold(#[inject] gate: &Semaphore, tenant: u32) {
    assert!(tenant > 0);
    gate.acquire().await.unwrap().forget();
}

fn gate() -> (Arc<Semaphore>, queue_core::ServicesBuilder) {
    let gate = Arc::new(Semaphore::new(0));
    (gate.clone(), Services::builder().singleton_as(gate))
}

async fn leased(queue: &MemoryQueue) -> u64 {
    queue.usage(&UsageRequest::of("default")).await.unwrap().total.running
}

async fn wait_for_started(world: &World, count: usize) {
    world.recorder.wait_for_count("starts", count, |event| matches!(event, Event::Started(_))).await;
}

/// H95: a place under a limit is not for a job that waits in a buffer, whatever the service prefetches elsewhere.
#[tokio::test(start_paused = true)]
async fn from_a_limited_queue_no_more_jobs_are_claimed_than_can_start() -> TestResult {
    for (limits, most) in [(QueueLimits::none(), 50), (QueueLimits::each(Limit::running(100)), 4)] {
        let (gate, services) = gate();
        let queue = keeping_queue();
        queue.declare_limits(&QueueName::DEFAULT, &limits).await?;
        queue.enqueue_all((0..50).map(|_| hold::new(1u32))).await?;
        let world = World::over(queue.clone(), queue, jobs![hold], services, |service| {
            service.concurrency(4).prefetch(100)
        })
        .await;

        wait_for_started(&world, 4).await;

        assert_eq!(leased(&world.queue).await, most, "with the limits {limits:?}");
        gate.add_permits(50);
        world.recorder.wait_for_settled::<hold>(50).await;
        world.host.stop().await?;
    }
    Ok(())
}

/// H96: the limits of a service bind its first claim.
#[tokio::test(start_paused = true)]
async fn a_service_declares_its_limits_before_it_claims() -> TestResult {
    let (gate, services) = gate();
    let queue = keeping_queue();
    let receipts = queue.enqueue_all((0..10).map(|_| hold::new(7u32))).await?;
    let limits = QueueLimits::each(Limit::running(2));
    let world = World::over(queue.clone(), queue, jobs![hold], services, |service| {
        service.concurrency(8).limit("default", limits)
    })
    .await;

    for ended in 0..8 {
        wait_for_started(&world, ended + 2).await;
        assert_eq!(leased(&world.queue).await, 2);
        gate.add_permits(1);
        world.recorder.wait_for_settled::<hold>(ended + 1).await;
    }
    let reasons = world.queue.explain(receipts[9].id()).await?;
    assert!(matches!(reasons[0], Reason::Executing { .. }), "{reasons:?}");
    gate.add_permits(2);
    world.recorder.wait_for_settled::<hold>(10).await;
    world.host.stop().await?;
    Ok(())
}

/// A limit that an operator sets binds a running service at once, and one that allows more wakes it.
#[tokio::test(start_paused = true)]
async fn an_operator_changes_a_limit_while_jobs_run() -> TestResult {
    let (gate, services) = gate();
    let world = World::with(jobs![hold], services, |service| {
        service.concurrency(8).limit("default", QueueLimits::each(Limit::running(2)))
    })
    .await;
    let receipts = world.queue.enqueue_all((0..20).map(|_| hold::new(7u32))).await?;
    wait_for_started(&world, 2).await;
    let scope = LimitScope::One("7".into());

    world.queue.set_limit(&QueueName::DEFAULT, &scope, Some(Limit::running(5))).await?;
    wait_for_started(&world, 5).await;

    world.queue.set_limit(&QueueName::DEFAULT, &scope, Some(Limit::running(1))).await?;
    gate.add_permits(4);
    world.recorder.wait_for_settled::<hold>(4).await;
    assert_eq!(leased(&world.queue).await, 1, "nothing is stopped, and nothing starts until fewer run");
    let reasons = world.queue.explain(receipts[19].id()).await?;
    let [Reason::AtLimit { running: 1, allowed: 1, workers, .. }] = reasons.as_slice() else {
        panic!("{reasons:?}")
    };
    assert_eq!(workers.len(), 1, "the worker that holds the place");

    world.queue.set_limit(&QueueName::DEFAULT, &scope, None).await?;
    gate.add_permits(16);
    world.recorder.wait_for_settled::<hold>(20).await;
    world.host.stop().await?;
    Ok(())
}

#[background_job(partition = "{tenant}")]
async fn call(#[inject] calls: &AtomicUsize, tenant: String) -> Result<(), JobError> {
    assert!(!tenant.is_empty());
    match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Err(JobError::throttle(30 * SECOND)),
        _ => Ok(()),
    }
}

/// A job that was told "too many requests" holds its partition, and no other.
#[tokio::test(start_paused = true)]
async fn a_throttled_job_holds_its_whole_partition() -> TestResult {
    let services = Services::builder().singleton_as(Arc::new(AtomicUsize::new(0)));
    let queue = keeping_queue();
    let receipts = queue.enqueue_all(["acme", "acme", "other"].map(call::new)).await?;
    let began = Instant::now();
    let world =
        World::over(queue.clone(), queue, jobs![call], services, |service| service.concurrency(1)).await;

    world.recorder.wait_for_settled::<call>(2).await;
    assert!(began.elapsed() < SECOND, "the other partition is not held");
    let reasons = world.queue.explain(receipts[1].id()).await?;
    let [Reason::RateLimited { .. }] = reasons.as_slice() else { panic!("{reasons:?}") };

    world.recorder.wait_for_settled::<call>(4).await;
    assert!(began.elapsed() >= 30 * SECOND, "after {:?}", began.elapsed());
    assert_eq!(
        record(&world.queue, receipts[0].id()).await.attempt,
        1,
        "the throttled attempt is not counted"
    );
    world.host.stop().await?;
    Ok(())
}

/// A queue whose first declarations fail.
struct Reluctant {
    queue: MemoryQueue,
    failures: AtomicUsize,
}

#[async_trait]
impl Decorator for Reluctant {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.queue
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.queue.push_at_once(job)
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        match self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(QueueError::unavailable("the store is down")),
            Err(_) => self.queue.declare_limits(queue, limits).await,
        }
    }
}

/// H96: while the store does not take the limits, no job starts.
#[tokio::test(start_paused = true)]
async fn a_service_waits_until_its_limits_are_stored() -> TestResult {
    let (gate, services) = gate();
    gate.add_permits(3);
    let queue = keeping_queue();
    queue.enqueue_all((0..3).map(|_| hold::new(7u32))).await?;
    let reluctant = Reluctant { queue: queue.clone(), failures: AtomicUsize::new(4) };
    let world = World::over(queue, reluctant, jobs![hold], services, |service| {
        service.limit("default", QueueLimits::total(Limit::running(1)))
    })
    .await;

    world.recorder.wait_for_settled::<hold>(3).await;

    let limits = world.queue.limits(&QueueName::DEFAULT).await?;
    assert_eq!(limits[0].declared, Some(Limit::running(1)));
    let failed = |event: &&Event| matches!(event, Event::QueueFailed { operation: "declare_limits", .. });
    let events = world.recorder.events();
    let first_failure = events.iter().position(|event| failed(&event)).expect("the failure is an event");
    let first_claim = events.iter().position(|event| matches!(event, Event::Claimed(_))).expect("a claim");
    assert!(first_failure < first_claim);
    world.host.stop().await?;
    Ok(())
}

/// H96: a limit that is not allowed, or is for another queue, is a problem at the start.
#[tokio::test]
async fn a_mistake_in_a_limit_is_reported_at_the_start() {
    let build = |queue: &str, limits| {
        let (_, services) = gate();
        let service = QueueService::new(MemoryQueue::new(), jobs![hold]).limit(queue, limits);
        let built = Host::builder().services(services.build().unwrap()).service(service).build();
        built.expect_err("it is refused").to_string()
    };

    let unserved = build("mails", QueueLimits::each(Limit::running(1)));
    let invalid = build("default", QueueLimits::each(Limit::starts(3, SECOND).burst(4)));

    let expected =
        "limits for the queue `mails`, which it does not serve; it serves `default`: correct the name";
    assert!(unserved.contains(expected), "{unserved}");
    assert!(invalid.contains("the limit of each partition: `burst` is 4"), "{invalid}");
}
