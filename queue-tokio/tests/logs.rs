//! Holds what is logged to H19 and H28.
//!
//! A binary of its own: a line's first use by a test without a subscriber, at the moment when this one sets its own,
//! can switch that line off for the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use queue_core::{JobError, QueueExt as _, Services, background_job, jobs};
use queue_testkit::{Recorder, TestKit};
use queue_tokio::{Host, QueueService, TokioQueue};
use tracing_subscriber::fmt::MakeWriter;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job(max_attempts = 1)]
async fn leaky(#[inject] number: &u32, secret: &str) -> Result<(), JobError> {
    tracing::info!(number, "at work");
    if secret == "hunter2" {
        Err(std::io::Error::other("it rained"))?;
    }
    Ok(())
}

#[background_job(max_attempts = 1)]
async fn fail_as(how: &str) -> Result<(), JobError> {
    match how {
        "pass" => Err("it rained".into()),
        "for good" => Err(JobError::permanent("it froze")),
        _ => panic!("it hailed"),
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn dispatch(&self) -> tracing::Dispatch {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .finish();
        tracing::Dispatch::new(subscriber)
    }

    /// Takes whatever this thread logs from now on.
    fn subscribe(&self) -> tracing::dispatcher::DefaultGuard {
        tracing::dispatcher::set_default(&self.dispatch())
    }

    fn text(&self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// H19, H28: each attempt is a span with id, name, queue and attempt; a failure is logged once, and payloads never.
#[tokio::test]
async fn a_failure_is_logged_once_within_its_span_and_without_its_payload() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (TokioQueue::new(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![leaky]).observe(recorder.clone());
    let services = Services::builder().singleton(7_u32).build()?;
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    let id = queue.enqueue(leaky::new("hunter2")).meta("token", "s3cr3t").await?.id();
    recorder.wait_for_settled::<leaky>(1).await;
    host.stop().await?;

    let log = lines.text()?;
    let within = log.lines().find(|line| line.contains("at work")).expect("the job's own line");
    for field in
        [format!("job.id={id}"), "job.name=leaky".into(), "job.queue=default".into(), "job.attempt=1".into()]
    {
        assert!(within.contains(&field), "no {field} in {within}");
    }
    let failures: Vec<_> = log.lines().filter(|line| line.contains("it rained")).collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].contains("WARN") && failures[0].contains("job.name=leaky"), "{}", failures[0]);
    assert!(!log.contains("hunter2") && !log.contains("s3cr3t"), "{log}");
    Ok(())
}

/// H19: a failure that may pass is a warning; one that is for good is an error, and so is a panic.
#[test]
fn a_failure_is_logged_at_its_level() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fail_as]).build()?;
        kit.queue().enqueue_all(["pass", "for good", "panic"].map(fail_as::new)).await?;

        kit.run_until_idle().await?;

        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    let log = lines.text()?;
    for (error, level) in [("it rained", "WARN"), ("it froze", "ERROR"), ("it hailed", "ERROR")] {
        let failures: Vec<_> = log.lines().filter(|line| line.contains(error)).collect();
        assert!(failures.len() == 1 && failures[0].contains(level), "no {level} of {error}: {failures:?}");
    }
    Ok(())
}

#[background_job(blocking)]
fn block(#[inject] dispatch: &tracing::Dispatch) {
    // A subscriber that was set for a test's own thread is not that of others.
    tracing::dispatcher::with_default(dispatch, || tracing::info!("blocking at work"));
}

/// H19, H27: what a blocking job logs on its own thread is within its attempt's span.
#[tokio::test]
async fn a_blocking_job_logs_within_its_span() -> TestResult {
    let lines = Lines::default();
    let dispatch = lines.dispatch();
    let _guard = tracing::dispatcher::set_default(&dispatch);
    let (queue, recorder) = (TokioQueue::new(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![block]).observe(recorder.clone());
    let services = Services::builder().singleton(dispatch).build()?;
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    let id = queue.enqueue(block::new()).await?.id();
    recorder.wait_for_settled::<block>(1).await;
    host.stop().await?;

    let log = lines.text()?;
    let within = log.lines().find(|line| line.contains("blocking at work")).expect("the job's own line");
    assert!(within.contains(&format!("job.id={id}")), "{within}");
    Ok(())
}
