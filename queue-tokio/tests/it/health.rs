//! Tests the health of a host against H75 and H76.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::backend::Decorator;
use queue_core::{
    BoxError, Delivery, Demand, Event, Heartbeat, NewJob, Queue as _, QueueError, QueueExt as _, Receipt,
    Renewal, Services, Settled, Settlement, background_job, jobs,
};
use queue_testkit::Recorder;
use queue_tokio::{
    Health, HealthStatus, Host, HostBuilder, HostContext, HostedService, MemoryQueue, OnFailure,
    QueueService, RunningHost,
};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

use crate::starting::NeverReady;
use crate::world::{TestResult, keeping_queue};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than anything takes here, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until the host has this status.
async fn wait_for(health: &Health, status: HealthStatus) -> TestResult {
    let ended = timeout(PATIENCE, health.wait_for(|now| *now == status)).await;
    ended.map_err(|_| format!("not {status} but {}", health.status()))?;
    Ok(())
}

/// Waits until the host is degraded for exactly these reasons.
async fn wait_for_reasons(health: &Health, reasons: &[&str]) -> TestResult {
    let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
    wait_for(health, HealthStatus::Degraded { reasons }).await
}

/// The operations that fail now.
#[derive(Default)]
struct Switches {
    claim: AtomicBool,
    renew: AtomicBool,
    settle: AtomicBool,
}

fn unless(fails: &AtomicBool) -> Result<(), QueueError> {
    if fails.load(Ordering::SeqCst) { Err(QueueError::unavailable("the server is away")) } else { Ok(()) }
}

/// A queue whose operations fail as a test switches them.
struct Switched {
    queue: MemoryQueue,
    switches: Arc<Switches>,
}

#[async_trait]
impl Decorator for Switched {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.queue
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.queue.push_at_once(job)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        unless(&self.switches.claim)?;
        self.queue.claim(demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        unless(&self.switches.renew)?;
        self.queue.renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        unless(&self.switches.settle)?;
        self.queue.settle(settlements).await
    }
}

#[background_job]
async fn pass() {}

#[background_job]
async fn break_claims(#[inject] switches: &Switches) {
    switches.claim.store(true, Ordering::SeqCst);
}

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

/// Starts a service over a queue with switches. It runs one job at a time.
async fn start(
    queue: &MemoryQueue,
    switches: &Arc<Switches>,
    gate: &Arc<Semaphore>,
) -> Result<RunningHost, BoxError> {
    let services = Services::builder().singleton_as(switches.clone()).singleton_as(gate.clone()).build()?;
    let switched = Switched { queue: queue.clone(), switches: switches.clone() };
    let service = QueueService::new(switched, jobs![pass, break_claims, hold]).named("mails").concurrency(1);
    Ok(Host::builder().services(services).service(service).build()?.start().await?)
}

/// H75: a host is starting until all services have started, then ready, and stopping from the stop on.
#[tokio::test(start_paused = true)]
async fn a_host_is_starting_then_ready_then_stopping() -> TestResult {
    let starts = Arc::new(Notify::new());
    let builder = Host::builder().service(QueueService::new(MemoryQueue::new(), jobs![pass]).named("mails"));
    let host = builder.service(NeverReady(starts.clone())).build()?;
    let health = host.health();
    assert_eq!(health.status(), HealthStatus::Starting);

    let while_starting = async {
        starts.notified().await;
        assert_eq!(health.status(), HealthStatus::Starting);
        let services = health.services().into_iter().map(|service| (service.name, service.status));
        let expected = [("mails", HealthStatus::Ready), ("never ready", HealthStatus::Starting)];
        assert_eq!(services.collect::<Vec<_>>(), expected.map(|(name, status)| (name.to_owned(), status)));
    };
    host.run_until(while_starting).await?;
    assert_eq!(health.status(), HealthStatus::Stopping);

    let service = QueueService::new(MemoryQueue::new(), jobs![pass]);
    let running = Host::builder().service(service).build()?.start().await?;
    let health = running.health();
    assert_eq!((health.status(), health.is_ready()), (HealthStatus::Ready, true));

    running.stop().await?;

    assert_eq!((health.status(), health.is_ready()), (HealthStatus::Stopping, false));
    assert_eq!(health.services()[0].status, HealthStatus::Stopping);
    Ok(())
}

/// H75: a handle of the builder observes the host that is built, so that a service of the host can answer with it.
#[tokio::test]
async fn the_health_is_known_before_the_host_is_built() -> TestResult {
    let builder = Host::builder();
    let health = builder.health();
    assert_eq!(health.status(), HealthStatus::Starting);

    let service = QueueService::new(MemoryQueue::new(), jobs![pass]);
    let running = builder.service(service).build()?.start().await?;

    assert_eq!(health.status(), HealthStatus::Ready);
    assert_eq!(health.services().len(), 1);
    running.stop().await?;
    Ok(())
}

/// H75: each operation that fails is a reason until it works again; a claim that works does not hide a settlement that fails.
#[tokio::test(start_paused = true)]
async fn a_recovery_of_claims_does_not_hide_failing_settlements() -> TestResult {
    let (queue, switches) = (keeping_queue(), Arc::new(Switches::default()));
    switches.settle.store(true, Ordering::SeqCst);
    queue.enqueue(break_claims::new()).await?;
    let running = start(&queue, &switches, &Arc::new(Semaphore::new(0))).await?;
    let health = running.health();
    let claim = "service `mails`: `claim` fails: the server is away";
    let settle = "service `mails`: `settle` fails: the server is away";

    wait_for_reasons(&health, &[claim, settle]).await?;
    assert!(health.is_ready(), "degraded is ready");
    switches.claim.store(false, Ordering::SeqCst);
    let began = Instant::now();

    let next = timeout(PATIENCE, health.wait_for(|now| !now.to_string().contains("`claim`"))).await?;
    assert_eq!(next, HealthStatus::Degraded { reasons: vec![settle.to_owned()] });
    assert!(began.elapsed() < 12 * SECOND, "after the backoff and a short claim: {:?}", began.elapsed());
    switches.settle.store(false, Ordering::SeqCst);

    wait_for(&health, HealthStatus::Ready).await?;
    running.stop().await?;
    Ok(())
}

/// H75: a failed renewal no longer counts once there is no lease to renew.
#[tokio::test(start_paused = true)]
async fn a_failed_renewal_does_not_outlive_the_leases() -> TestResult {
    let (queue, switches) = (keeping_queue(), Arc::new(Switches::default()));
    let gate = Arc::new(Semaphore::new(0));
    switches.renew.store(true, Ordering::SeqCst);
    let running = start(&queue, &switches, &gate).await?;
    let health = running.health();
    queue.enqueue(hold::new()).await?;

    wait_for_reasons(&health, &["service `mails`: `renew` fails: the server is away"]).await?;
    gate.add_permits(1);

    wait_for(&health, HealthStatus::Ready).await?;
    running.stop().await?;
    Ok(())
}

/// H75: a service that waits to be restarted is degraded, and ready again once it runs.
#[tokio::test(start_paused = true)]
async fn a_service_is_degraded_between_two_runs() -> TestResult {
    let restart = OnFailure::Restart { first: SECOND, longest: SECOND };
    let reporting = Reporting { fails: true, recovers: Arc::default() };
    let recovers = reporting.recovers.clone();
    let running = Host::builder().service_with(reporting, restart).build()?.start().await?;
    let health = running.health();

    let pauses = "service `reporting`: failed: lost the database; it runs again after a pause of 1s";
    wait_for_reasons(&health, &[pauses]).await?;
    wait_for_reasons(&health, &["service `reporting`: the mail server is away"]).await?;
    recovers.notify_one();
    wait_for(&health, HealthStatus::Ready).await?;

    running.stop().await?;
    Ok(())
}

/// A service that fails at its first run if it is to, and then reports that a server is away until the test says otherwise.
struct Reporting {
    fails: bool,
    recovers: Arc<Notify>,
}

#[async_trait]
impl HostedService for Reporting {
    fn name(&self) -> &str {
        "reporting"
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        context.health().degraded("smtp", "the mail server is away");
        if std::mem::take(&mut self.fails) {
            return Err("lost the database".into());
        }
        self.recovers.notified().await;
        context.health().recovered("smtp");
        context.stopping().cancelled().await;
        Ok(())
    }
}

/// H75: a host with a service that has failed for good is stopping, before its caller stops it.
#[tokio::test(start_paused = true)]
async fn a_host_with_a_service_that_failed_for_good_is_stopping() -> TestResult {
    let reporting = Reporting { fails: true, recovers: Arc::default() };
    let running = Host::builder().service(reporting).build()?.start().await?;
    let health = running.health();

    wait_for(&health, HealthStatus::Stopping).await?;

    assert!(running.stop().await.is_err());
    Ok(())
}

/// H75: a host that is dropped is stopping.
#[tokio::test]
async fn a_dropped_host_is_stopping() -> TestResult {
    let running = with_delay(&MemoryQueue::new()).build()?.start().await?;
    let health = running.health();

    drop(running);

    assert_eq!(health.status(), HealthStatus::Stopping);
    assert_eq!(health.services()[0].status, HealthStatus::Stopping);
    Ok(())
}

/// Sets up a host that waits for 5 s before its services stop.
fn with_delay(queue: &MemoryQueue) -> HostBuilder {
    Host::builder().drain_delay(5 * SECOND).service(QueueService::new(queue.clone(), jobs![pass]))
}

/// H76: a host is not ready from the start of its stop on; for the drain delay its services go on.
#[tokio::test(start_paused = true)]
async fn the_readiness_ends_before_any_service_stops() -> TestResult {
    let queue = MemoryQueue::new();
    let running = with_delay(&queue).build()?.start().await?;
    let (health, began) = (running.health(), Instant::now());

    let stop = tokio::spawn(running.stop());
    wait_for(&health, HealthStatus::Stopping).await?;
    assert!(!health.is_ready());
    assert_eq!(health.services()[0].status, HealthStatus::Ready);
    queue.enqueue(pass::new()).await?;
    queue.idle().await;
    assert_eq!(began.elapsed(), Duration::ZERO, "the job ran during the drain delay");

    stop.await??;
    assert_eq!(began.elapsed(), 5 * SECOND);
    Ok(())
}

/// H76: a host that was never ready stops without the drain delay.
#[tokio::test(start_paused = true)]
async fn a_host_that_was_never_ready_stops_without_the_drain_delay() -> TestResult {
    let starts = Arc::new(Notify::new());
    let host = with_delay(&MemoryQueue::new()).service(NeverReady(starts.clone())).build()?;
    let began = Instant::now();

    host.run_until(starts.notified()).await?;

    assert_eq!(began.elapsed(), Duration::ZERO);
    Ok(())
}

/// H76: the defaults fit the 30 s that Kubernetes waits: a job that does not stop is dropped before.
#[tokio::test(start_paused = true)]
async fn the_defaults_fit_the_30_seconds_of_kubernetes() -> TestResult {
    let (queue, recorder) = (keeping_queue(), Recorder::new());
    let services = Services::builder().singleton(Semaphore::new(0)).build()?;
    let service = QueueService::new(queue.clone(), jobs![hold]).observe(recorder.clone());
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    queue.enqueue(hold::new()).await?;
    recorder.wait_for_count("starts", 1, |event| matches!(event, Event::Started(_))).await;
    let began = Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(stopped.interrupted.len(), 1);
    assert!(began.elapsed() <= 25 * SECOND, "{:?}", began.elapsed());
    Ok(())
}
