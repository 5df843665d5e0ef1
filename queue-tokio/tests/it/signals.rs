//! Holds the host to what it does on signals: H17. Unix alone has signals that a test can send.
#![cfg(unix)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, raise};
use queue_core::{BoxError, Event, JobContext, QueueExt as _, Services, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, HostContext, HostError, HostedService, QueueService, TokioQueue};
use tokio::sync::Notify;

use crate::world::TestResult;

#[background_job]
async fn wait_for_token(#[inject] context: &JobContext) {
    context.token().cancelled().await;
}

fn host(queue: &TokioQueue, recorder: &Recorder, shutdown_timeout: Duration) -> Host {
    let service = QueueService::new(queue.clone(), jobs![wait_for_token]).observe(recorder.clone());
    Host::builder()
        .services(Services::none())
        .service(service)
        .shutdown_timeout(shutdown_timeout)
        .build()
        .unwrap()
}

/// A service that never gets ready.
struct NeverReady(Arc<Notify>);

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

/// H17: a signal stops gracefully, also before everything has started; a second one aborts.
///
/// One test, since signals are sent to the whole process.
#[tokio::test]
async fn a_signal_stops_gracefully_and_a_second_one_aborts() -> TestResult {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (queue, recorder) = (TokioQueue::new(), Recorder::new());
        let running = tokio::spawn(host(&queue, &recorder, Duration::ZERO).run());
        queue.enqueue(wait_for_token::new()).await?;
        recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

        raise(signal)?;

        let stopped = running.await??;
        assert_eq!(stopped.cut_short.len(), 1, "{signal}: the job was told to stop");
        recorder.wait_for_settled::<wait_for_token>(1).await;
    }

    let (queue, recorder) = (TokioQueue::new(), Recorder::new());
    let running = tokio::spawn(host(&queue, &recorder, Duration::from_secs(3600)).run());
    queue.enqueue(wait_for_token::new()).await?;
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
    raise(Signal::SIGINT)?;
    recorder.wait_for("the stop", |event| matches!(event, Event::Stopping)).await;

    raise(Signal::SIGINT)?;

    assert!(matches!(running.await?, Err(HostError::Aborted)));

    let starts = Arc::new(Notify::new());
    let running = tokio::spawn(Host::builder().service(NeverReady(starts.clone())).build()?.run());
    starts.notified().await;

    raise(Signal::SIGTERM)?;

    let stopped = tokio::time::timeout(Duration::from_secs(10), running).await???;
    assert!(stopped.cut_short.is_empty(), "nothing ran: {:?}", stopped.cut_short);
    Ok(())
}
