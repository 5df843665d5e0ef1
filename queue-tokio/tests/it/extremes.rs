//! Tests that every builder of this crate accepts the smallest and the largest values of its types.

use std::time::Duration;

use queue_core::{Admin as _, BoxError, OutcomeKind, QueueExt as _, Services, State, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, HostBuilder, HostContext, HostedService, MemoryQueue, OnFailure, QueueService};

use crate::world::{TestResult, keeping_queue};

#[background_job]
async fn quick() {}

const ENDS: [Duration; 3] = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];

/// Runs a job in a host, and stops the host.
async fn works(
    what: &str,
    queue: MemoryQueue,
    build: impl FnOnce(HostBuilder, QueueService) -> HostBuilder,
) -> TestResult {
    let recorder = Recorder::new();
    let service = QueueService::new(queue.clone(), jobs![quick]).observe(recorder.clone());
    let running = build(Host::builder(), service).build()?.start().await?;
    let id = queue.enqueue(quick::new()).await?.id();
    recorder.wait_for_settled::<quick>(1).await;
    let stopped = running.stop().await?;

    assert_eq!(stopped.interrupted, [""; 0], "{what}");
    assert_eq!(stopped.dispose_errors.len(), 0, "{what}");
    let job = queue.get(id).await?;
    // On a busy machine, a lease of a few milliseconds may end before its job is settled. Then the job runs again.
    assert!(job.is_none_or(|job| job.state != State::Discarded), "{what}");
    Ok(())
}

/// A service with this clean-up time.
struct Cleaning(Duration);

#[async_trait::async_trait]
impl HostedService for Cleaning {
    fn name(&self) -> &str {
        "cleaning"
    }

    fn clean_up(&self) -> Duration {
        self.0
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        context.stopping().cancelled().await;
        Ok(())
    }
}

/// No duration and no number that a builder accepts makes the loop or the host panic or hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extremes_of_every_setting_work() -> TestResult {
    for end in ENDS {
        let name = |setting: &str| format!("{setting} of {end:?}");
        works(&name("shutdown timeout"), keeping_queue(), |host, service| {
            host.shutdown_timeout(end.max(Duration::from_secs(1))).service(service)
        })
        .await?;
        works(&name("grace"), keeping_queue(), |host, service| host.service(service.grace(end))).await?;
        works(&name("clean-up"), keeping_queue(), |host, service| {
            host.service(Cleaning(end)).service(service)
        })
        .await?;
        let lease = end.max(Duration::from_millis(3));
        works(&name("lease"), keeping_queue(), |host, service| host.service(service.lease(lease))).await?;
        works(&name("restart"), keeping_queue(), |host, service| {
            host.service_with(service, OnFailure::Restart { first: end, longest: Duration::MAX })
        })
        .await?;
    }
    for end in [0, 1, usize::MAX] {
        works(&format!("concurrency of {end}"), keeping_queue(), |host, service| {
            host.service(service.concurrency(end))
        })
        .await?;
        works(&format!("prefetch of {end}"), keeping_queue(), |host, service| {
            host.service(service.prefetch(end).concurrency(end))
        })
        .await?;
    }
    for weight in [0, u32::MAX] {
        works(&format!("weight of {weight}"), keeping_queue(), |host, service| {
            host.service(service.weighted_queues([("default", weight), ("other", u32::MAX)]))
        })
        .await?;
    }
    for bound in [0, 1, u32::MAX] {
        works(&format!("bound of {bound}"), MemoryQueue::bounded(bound), |host, service| {
            host.service(service)
        })
        .await?;
    }
    Ok(())
}

/// `build` reports a lease that is too short to be renewed.
#[test]
fn a_lease_too_short_to_be_renewed_is_found_by_build() {
    for lease in [Duration::ZERO, Duration::from_millis(2)] {
        let service = QueueService::new(MemoryQueue::new(), jobs![quick]).lease(lease);

        let error = Host::builder().service(service).build().unwrap_err().to_string();

        assert!(error.contains("3 ms is the least"), "{error}");
    }
}

#[background_job(timeout = "100000000000d")]
async fn unhurried() {}

/// The longest timeout of a job, and the longest lease, hold on every backend.
#[tokio::test]
async fn a_job_without_a_time_limit_runs_on_every_backend() -> TestResult {
    let folder = tempfile::tempdir()?;
    let server = test_servers::Postgres::start(test_servers::Durability::Process, &[])?;
    let sqlite = queue_sqlite::SqliteQueue::open(folder.path().join("jobs.db")).await?;
    let postgres = queue_postgres::PostgresQueue::connect(server.url("postgres")).await?;
    let queues: [std::sync::Arc<dyn queue_core::Queue>; 3] =
        [std::sync::Arc::new(keeping_queue()), std::sync::Arc::new(sqlite), std::sync::Arc::new(postgres)];
    for queue in queues {
        let recorder = Recorder::new();
        let service = QueueService::new(queue.clone(), jobs![unhurried]).lease(Duration::MAX);
        let service = service.concurrency(usize::MAX).prefetch(usize::MAX).observe(recorder.clone());
        let services = Services::builder().build()?;
        let running = Host::builder().services(services).service(service).build()?.start().await?;

        queue.enqueue(unhurried::new()).await?;
        recorder.wait_for_settled::<unhurried>(1).await;

        let succeeded = |event: &queue_core::Event| matches!(event, queue_core::Event::Ended { outcome, .. } if outcome.kind() == OutcomeKind::Success);
        assert_eq!(recorder.count(succeeded), 1);
        running.stop().await?;
    }
    Ok(())
}
