//! Holds the host to what it does on signals: H17. Unix alone has signals that a test can send.
#![cfg(unix)]

use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use queue_core::{Event, JobContext, QueueExt as _, Services, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, HostError, QueueService, TokioQueue};

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

/// H17: a signal stops gracefully, a second one aborts.
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
    Ok(())
}
