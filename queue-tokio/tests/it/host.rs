//! Tests the host against H15, H16 and H25.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::backend::error_chain;
use queue_core::{BoxError, OutcomeKind, Services, background_job, jobs};
use queue_tokio::{Host, HostContext, HostError, HostedService, MemoryQueue, OnFailure, QueueService};
use tokio::sync::Notify;

use crate::world::TestResult;

type Log = Arc<Mutex<Vec<String>>>;

/// A service that records its calls, and fails as configured.
struct Noting {
    name: &'static str,
    log: Log,
    fail_start: bool,
    fail_run: Vec<&'static str>,
    settled: Arc<Notify>,
}

impl Noting {
    fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), fail_start: false, fail_run: Vec::new(), settled: Arc::default() }
    }

    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

#[async_trait]
impl HostedService for Noting {
    fn name(&self) -> &str {
        self.name
    }

    async fn start(&mut self, _: &HostContext) -> Result<(), BoxError> {
        self.note("starts");
        if self.fail_start { Err("no port".into()) } else { Ok(()) }
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        match self.fail_run.pop() {
            Some("panic") => panic!("bang"),
            Some("end") => return Ok(()),
            Some(error) => return Err(error.into()),
            None => {}
        }
        self.settled.notify_one();
        context.stopping().cancelled().await;
        self.note("stops");
        Ok(())
    }
}

/// H15: services start in order and stop in reverse, then singletons are disposed.
#[tokio::test]
async fn services_start_in_order_and_stop_in_reverse() -> TestResult {
    let log = Log::default();
    let disposed = log.clone();
    let services = Services::builder()
        .singleton(7_u8)
        .dispose(move |_: Arc<u8>, _: OutcomeKind| {
            disposed.lock().unwrap().push("u8 disposed".into());
            async { Ok::<(), std::io::Error>(()) }
        })
        .build()?;
    let (one, two) = (Noting::new("one", &log), Noting::new("two", &log));
    let run = [one.settled.clone(), two.settled.clone()];
    let running = Host::builder().services(services).service(one).service(two).build()?.start().await?;
    for ready in run {
        ready.notified().await;
    }

    running.stop().await?;

    assert_eq!(*log.lock().unwrap(), ["one starts", "two starts", "two stops", "one stops", "u8 disposed"]);
    Ok(())
}

/// H15: if a service fails to start, the started ones are stopped, in reverse, and the error names it.
#[tokio::test]
async fn a_service_that_fails_to_start_stops_the_others() -> TestResult {
    let log = Log::default();
    let mut third = Noting::new("three", &log);
    third.fail_start = true;
    let services = [Noting::new("one", &log), Noting::new("two", &log), third, Noting::new("four", &log)];
    let builder = services.into_iter().fold(Host::builder(), queue_tokio::HostBuilder::service);

    let error = builder.build()?.start().await.unwrap_err();

    assert_eq!(error_chain(&error), "the service `three` could not start: no port");
    assert_eq!(format!("{error:?}"), error_chain(&error), "`main` prints `Debug`");
    assert!(matches!(&error, HostError::Start { source, .. } if source.to_string() == "no port"));
    assert_eq!(*log.lock().unwrap(), ["one starts", "two starts", "three starts", "two stops", "one stops"]);
    Ok(())
}

/// H16: if a service ends, fails or panics, the host stops and returns the failure.
#[tokio::test]
async fn a_service_that_fails_stops_the_host() -> TestResult {
    for (how, said) in [
        ("panic", "the service `bad` panicked: bang"),
        ("end", "the service `bad` ended while it should have run"),
        ("lost the database", "the service `bad` failed: lost the database"),
    ] {
        let log = Log::default();
        let mut bad = Noting::new("bad", &log);
        bad.fail_run.push(how);
        let host = Host::builder().service(Noting::new("good", &log)).service(bad).build()?;

        let error = host.run_until(std::future::pending()).await.unwrap_err();

        assert_eq!(error_chain(&error), said);
        assert!(log.lock().unwrap().contains(&"good stops".to_owned()));
    }
    Ok(())
}

/// H16: a service may also be restarted, after a pause that doubles.
#[tokio::test(start_paused = true)]
async fn a_failed_service_may_be_restarted() -> TestResult {
    let log = Log::default();
    let mut bad = Noting::new("bad", &log);
    bad.fail_run.extend(["panic", "again", "end"]);
    let settled = bad.settled.clone();
    let restart = OnFailure::Restart { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
    let began = tokio::time::Instant::now();

    Host::builder().service_with(bad, restart).build()?.run_until(settled.notified()).await?;

    assert_eq!(began.elapsed().as_secs(), 1 + 2 + 4);
    Ok(())
}

/// A service that fails at once, or after it ran for some time.
struct Flaky {
    runs: Vec<Duration>,
    ended: Arc<Notify>,
}

#[async_trait]
impl HostedService for Flaky {
    fn name(&self) -> &str {
        "flaky"
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let Some(run) = self.runs.pop() else {
            self.ended.notify_one();
            context.stopping().cancelled().await;
            return Ok(());
        };
        tokio::time::sleep(run).await; // virtual
        Err("again".into())
    }
}

/// H69: after a run as long as the longest pause, the next pause is the first one again; a shorter run changes nothing.
#[tokio::test(start_paused = true)]
async fn a_service_is_restarted_after_the_first_pause_if_it_ran_long_enough() -> TestResult {
    for (run, pause) in [(59, 8), (60, 1), (3600, 1)] {
        let ended = Arc::new(Notify::new());
        let runs = [0, run, 0, 0].map(Duration::from_secs);
        let flaky = Flaky { runs: runs.to_vec(), ended: ended.clone() };
        let restart = OnFailure::Restart { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        let began = tokio::time::Instant::now();

        let host = Host::builder().service_with(flaky, restart).build()?;
        host.run_until(ended.notified()).await?;

        // Two failures at once, the run, and one more failure after the measured pause.
        let expected = if pause == 8 { 1 + 2 + run + 4 + 8 } else { 1 + 2 + run + 1 + 2 };
        assert_eq!(began.elapsed().as_secs(), expected, "after a run of {run} s");
    }
    Ok(())
}

#[background_job]
async fn needy(#[inject] number: &u64) {
    let _ = number;
}

/// H25: missing services of jobs are one readable error, before anything starts.
#[test]
fn build_reports_the_services_that_jobs_lack() {
    let service = QueueService::new(MemoryQueue::new(), jobs![needy]);

    let error = Host::builder().service(service).build().unwrap_err();

    assert_eq!(
        error.to_string(),
        "1 problem found before the start:\n  1. job `needy` needs `u64` (parameter `number`), which nothing provides: \
         needy → u64: register it with `.singleton(..)`"
    );
}

/// A service that ends as configured, and records when it ran and when it was dropped.
struct Ending {
    error: Option<&'static str>,
    takes: Duration,
    clean_up: Duration,
    ran: Arc<Notify>,
    gone: Arc<Notify>,
}

impl Ending {
    fn failing() -> Self {
        let mut failing = Self::taking(Duration::ZERO, Duration::ZERO);
        failing.error = Some("lost the database");
        failing
    }

    /// Creates a service that takes `takes` to stop.
    fn taking(takes: Duration, clean_up: Duration) -> Self {
        Self { error: None, takes, clean_up, ran: Arc::default(), gone: Arc::default() }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.gone.notify_one();
    }
}

#[async_trait]
impl HostedService for Ending {
    fn name(&self) -> &str {
        "ending"
    }

    fn clean_up(&self) -> Duration {
        self.clean_up
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        self.ran.notify_one();
        if let Some(error) = self.error {
            return Err(error.into());
        }
        context.stopping().cancelled().await;
        tokio::time::sleep(self.takes).await; // virtual
        Ok(())
    }
}

/// H16: a stop returns a failure, whether or not a caller waited for it.
#[tokio::test]
async fn a_stop_returns_a_failure_that_no_caller_waited_for() -> TestResult {
    let service = Ending::failing();
    let gone = service.gone.clone();
    let running = Host::builder().service(service).build()?.start().await?;
    gone.notified().await;

    let error = running.stop().await.unwrap_err();

    assert_eq!(error_chain(&error), "the service `ending` failed: lost the database");
    Ok(())
}

/// H16: `failed` returns for every call, until the stop has returned the failure.
#[tokio::test(start_paused = true)]
async fn a_failure_may_be_waited_for_again() -> TestResult {
    let mut running = Host::builder().service(Ending::failing()).build()?.start().await?;
    running.failed().await;

    tokio::time::timeout(Duration::from_secs(1), running.failed()).await?;

    assert!(matches!(running.stop().await, Err(HostError::Failed { .. })));
    Ok(())
}

/// H14, H16: a service that waits to be restarted stops at once.
#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_restart() -> TestResult {
    let service = Ending::failing();
    let ran = service.ran.clone();
    let hour = Duration::from_secs(3600);
    let restart = OnFailure::Restart { first: hour, longest: hour };
    let running = Host::builder().service_with(service, restart).build()?.start().await?;
    ran.notified().await;
    let began = tokio::time::Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(stopped.interrupted.is_empty(), "{:?}", stopped.interrupted);
    Ok(())
}

/// H14: a service has the shutdown timeout and then its own clean-up time.
#[tokio::test(start_paused = true)]
async fn a_service_may_take_its_clean_up_beyond_the_timeout() -> TestResult {
    let second = Duration::from_secs(1);
    let service = Ending::taking(60 * second, 40 * second);
    let host = Host::builder().service(service).shutdown_timeout(30 * second).build()?;

    let stopped = host.start().await?.stop().await?;

    assert!(stopped.interrupted.is_empty(), "{:?}", stopped.interrupted);
    Ok(())
}

/// H14: a service that takes longer is dropped, and the report says so.
#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_stop_is_dropped() -> TestResult {
    let second = Duration::from_secs(1);
    let service = Ending::taking(3600 * second, 40 * second);
    let (ran, gone) = (service.ran.clone(), service.gone.clone());
    let running = Host::builder().service(service).shutdown_timeout(30 * second).build()?.start().await?;
    ran.notified().await;
    let began = tokio::time::Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(stopped.interrupted, ["service `ending`"]);
    gone.notified().await;
    assert_eq!(began.elapsed(), 70 * second);
    Ok(())
}
