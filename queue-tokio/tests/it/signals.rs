//! Tests what the host does on signals: H17. Only on Unix can a test send them.
#![cfg(unix)]

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use queue_core::{Event, JobContext, QueueExt as _, Services, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, HostError, MemoryQueue, QueueService};
use tokio::sync::Notify;

use crate::starting::NeverReady;
use crate::world::TestResult;

#[background_job]
async fn wait_for_token(#[inject] context: &JobContext) {
    context.token().cancelled().await;
}

fn host(queue: &MemoryQueue, recorder: &Recorder, shutdown_timeout: Duration) -> Host {
    let service = QueueService::new(queue.clone(), jobs![wait_for_token]).observe(recorder.clone());
    Host::builder()
        .services(Services::none())
        .service(service)
        .shutdown_timeout(shutdown_timeout)
        .build()
        .unwrap()
}

/// H17, H64: a signal stops gracefully, even before everything has started; a second one aborts.
///
/// One test, because signals are sent to the whole process.
#[tokio::test]
async fn a_signal_stops_gracefully_and_a_second_one_aborts() -> TestResult {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
        let running = tokio::spawn(host(&queue, &recorder, Duration::ZERO).run());
        queue.enqueue(wait_for_token::new()).await?;
        recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

        raise(signal)?;

        let stopped = running.await??;
        assert_eq!(stopped.interrupted.len(), 1, "{signal}: the job's token fired");
        recorder.wait_for_settled::<wait_for_token>(1).await;
    }

    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let running = tokio::spawn(host(&queue, &recorder, Duration::from_secs(3600)).run());
    queue.enqueue(wait_for_token::new()).await?;
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
    raise(Signal::SIGINT)?;
    recorder.wait_for("the stop", |event| matches!(event, Event::Stopping)).await;

    raise(Signal::SIGINT)?;

    assert!(matches!(running.await?, Err(HostError::Aborted)));

    let (queue, recorder, starts) = (MemoryQueue::new(), Recorder::new(), Arc::new(Notify::new()));
    let service = QueueService::new(queue.clone(), jobs![wait_for_token]).observe(recorder.clone());
    let builder = Host::builder().shutdown_timeout(Duration::ZERO).service(service);
    let running = tokio::spawn(builder.service(NeverReady(starts.clone())).build()?.run());
    starts.notified().await;
    queue.enqueue(wait_for_token::new()).await?;
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    raise(Signal::SIGTERM)?;

    let stopped = tokio::time::timeout(Duration::from_secs(10), running).await???;
    assert_eq!(
        stopped.interrupted.len(),
        1,
        "the job of the service that had started: {:?}",
        stopped.interrupted
    );
    recorder.wait_for_settled::<wait_for_token>(1).await;
    Ok(())
}
