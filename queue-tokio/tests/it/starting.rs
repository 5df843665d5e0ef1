//! Tests the host against H64: a stop while services still start.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{BoxError, Event, JobContext, QueueExt as _, State, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, HostContext, HostError, HostedService, QueueService};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::world::{TestResult, keeping_queue, record};

/// Longer than any stop takes, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// A service that is never ready.
pub(crate) struct NeverReady(pub(crate) Arc<Notify>);

#[async_trait]
impl HostedService for NeverReady {
    fn name(&self) -> &str {
        "never ready"
    }

    async fn start(&mut self, _: &HostContext) -> Result<(), BoxError> {
        self.0.notify_one();
        std::future::pending().await
    }

    async fn run(&mut self, _: &HostContext) -> Result<(), BoxError> {
        Ok(())
    }
}

#[background_job]
async fn take_five(#[inject] context: &JobContext) {
    context.sleep(Duration::from_secs(5)).await; // virtual
}

#[background_job]
async fn never_stop() {
    std::future::pending::<()>().await;
}

/// H64: the end of `run_until` ends a start; the started services are stopped gracefully and reported.
#[tokio::test(start_paused = true)]
async fn a_stop_while_services_start_ends_the_start_and_stops_what_had_started() -> TestResult {
    let (queue, recorder, starts) = (keeping_queue(), Recorder::new(), Arc::new(Notify::new()));
    let service = QueueService::new(queue.clone(), jobs![take_five, never_stop]).observe(recorder.clone());
    let builder = Host::builder().shutdown_timeout(Duration::from_secs(7)).service(service);
    let host = builder.service(NeverReady(starts.clone())).service(NeverReady(Arc::default())).build()?;
    let receipts =
        queue.enqueue_all([take_five::new().into(), queue_core::NewJob::from(never_stop::new())]).await?;
    let ready = async {
        starts.notified().await;
        recorder.wait_for_count("starts", 2, |event| matches!(event, Event::Started(_))).await;
    };
    let began = Instant::now();

    let stopped = timeout(PATIENCE, host.run_until(ready)).await??;

    assert_eq!(record(&queue, receipts[0].id()).await.state, State::Completed);
    assert_eq!(record(&queue, receipts[1].id()).await.state, State::Available);
    assert_eq!(stopped.interrupted.len(), 1, "{:?}", stopped.interrupted);
    assert_eq!(began.elapsed().as_secs(), 7 + 5, "the shutdown timeout and the grace");
    Ok(())
}

/// A service that fails as soon as it runs.
struct Failing;

#[async_trait]
impl HostedService for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    async fn run(&mut self, _: &HostContext) -> Result<(), BoxError> {
        Err("lost the database".into())
    }
}

/// H64: a service that fails while a later one still starts ends the start, and is named.
#[tokio::test(start_paused = true)]
async fn a_failure_while_services_start_ends_the_start() -> TestResult {
    for is_run in [true, false] {
        let host = Host::builder().service(Failing).service(NeverReady(Arc::default())).build()?;

        let ended = if is_run {
            timeout(PATIENCE, host.run_until(std::future::pending())).await?.err()
        } else {
            timeout(PATIENCE, host.start()).await?.err()
        };

        assert!(matches!(ended, Some(HostError::Failed { .. })), "{ended:?}");
    }
    Ok(())
}
