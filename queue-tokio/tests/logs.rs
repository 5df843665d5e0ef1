//! Tests the log lines against H19, H28, H68, H71, H77 and H81.
//!
//! A binary of its own: if a test without a subscriber uses a log line for the first time just when this test installs its
//! own, the line can be switched off for the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use queue_core::backend::Attempt;
use queue_core::{Event, JobContext, JobError, Queue as _, QueueExt as _, Services, background_job, jobs};
use queue_testkit::{Fault, Faulty, Operation, Recorder, TestKit};
use queue_tokio::{Host, MemoryQueue, QueueService, TokioClock};
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

#[background_job(max_attempts = 2, backoff = fixed("4s"))]
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

    /// Collects everything that this thread logs from now on.
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

/// H19, H28: each attempt is a span with service, id, name, queue and attempt; a failure is logged once, and payloads never.
#[tokio::test]
async fn a_failure_is_logged_once_within_its_span_and_without_its_payload() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![leaky]).named("pipes").observe(recorder.clone());
    let services = Services::builder().singleton(7_u32).build()?;
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    let id = queue.enqueue(leaky::new("hunter2")).meta("token", "s3cr3t").await?.id();
    recorder.wait_for_settled::<leaky>(1).await;
    host.stop().await?;

    let log = lines.text()?;
    let within = log.lines().find(|line| line.contains("at work")).expect("the job's own line");
    let id = format!("job.id={id}");
    for field in ["service=\"pipes\"", &id, "job.name=leaky", "job.queue=default", "job.attempt=1"] {
        assert!(within.contains(field), "no {field} in {within}");
    }
    let failures: Vec<_> = log.lines().filter(|line| line.contains("it rained")).collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    for field in ["ERROR", "service=\"pipes\"", "job.name=leaky"] {
        assert!(failures[0].contains(field), "no {field} in {}", failures[0]);
    }
    assert!(!log.contains("hunter2") && !log.contains("s3cr3t"), "{log}");
    Ok(())
}

/// H19, H68: a transient failure is a warning; a permanent one and a panic are errors. Each line says which attempt it was and
/// what follows.
#[test]
fn a_failure_is_logged_at_its_level() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fail_as]).build()?;
        kit.queue().enqueue_all(["pass", "for good", "panic"].map(fail_as::new)).await?;

        kit.run_until_idle().await?;
        kit.queue().push(vec![queue_core::NewJob::new("fail_sa", queue_core::Body::json("null")?)]).await?;
        kit.step().await?;

        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    let log = lines.text()?;
    let expected = [
        ("it rained", "WARN", "attempt 1 of 2 failed, retrying in 4 s: it rained"),
        ("it rained", "ERROR", "discarded after 2 of 2 attempts: it rained"),
        ("it froze", "ERROR", "discarded at attempt 1 of 2: it froze"),
        ("it hailed", "ERROR", "attempt 1 of 2 failed, retrying in 4 s: panicked: it hailed"),
        ("it hailed", "ERROR", "discarded after 2 of 2 attempts: panicked: it hailed"),
        ("fail_sa", "WARN", "attempt not counted, running again in "),
    ];
    for (error, level, line) in expected {
        let of_error = log.lines().filter(|line| line.contains(error));
        let failures: Vec<_> = of_error.filter(|found| found.contains(line)).collect();
        assert!(
            failures.len() == 1 && failures[0].contains(level),
            "no {level} of {line}: {failures:?} in\n{log}"
        );
    }
    for (error, times) in [("it rained", 2), ("it froze", 1)] {
        assert_eq!(log.lines().filter(|line| line.contains(error)).count(), times, "lines with {error}");
    }
    Ok(())
}

#[background_job]
async fn quote(#[inject] gate: &tokio::sync::Semaphore) {
    gate.acquire().await.unwrap().forget();
}

/// H77: a service logs one line at its start, one when it stops and one when it has stopped, each with its name, and no line
/// for each job at the level of these.
#[tokio::test(start_paused = true)]
async fn a_service_logs_its_start_and_its_stop_with_its_name() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let service = QueueService::new(queue.clone(), jobs![quote, fail_as]).named("quotes");
    let service = service.queues(["default", "slow"]).concurrency(3).prefetch(1).observe(recorder.clone());
    let services = Services::builder().singleton_as(gate.clone()).build()?;
    queue.enqueue_all((0..4).map(|_| quote::new())).await?;
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    recorder.wait_for_count("starts", 3, |event| matches!(event, Event::Started(_))).await;

    let stop = tokio::spawn(running.stop());
    recorder.wait_for_count("stops", 1, |event| matches!(event, Event::Stopping)).await;
    gate.add_permits(2);
    stop.await??;

    let log = lines.text()?;
    let info: Vec<_> = log.lines().filter(|line| line.contains(" INFO ")).collect();
    let expected = [
        vec![
            "started",
            "version=\"0.",
            "backend=\"memory; ",
            "queues=\"default, slow\"",
            "jobs=\"fail_as, quote\"",
            "concurrency=3",
        ],
        vec!["stopping: waiting up to 20 s for 3 jobs (quote × 3)"],
        vec![
            "stopped: 2 jobs finished during the stop, 2 released; 1 cut short",
            "finished=2",
            "released=2",
            "cut_short=1",
        ],
    ];
    assert_eq!(info.len(), expected.len(), "{info:#?}");
    for (line, parts) in info.iter().zip(expected) {
        for part in parts {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    for line in log.lines() {
        assert!(line.contains("service=\"quotes\""), "no name in {line}");
    }
    Ok(())
}

/// H81: a service may create the span of each attempt itself; the job runs within it, and its failure is logged within it. If the
/// function panics, the framework's span is used.
#[tokio::test]
async fn a_failure_is_logged_within_the_span_that_the_service_makes() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![leaky]).observe(recorder.clone()).make_span(|job| {
        let tenant = job.meta.get("tenant").expect("each job has a tenant");
        tracing::info_span!("process", tenant)
    });
    let services = Services::builder().singleton(7_u32).build()?;
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    queue.enqueue(leaky::new("hunter2")).meta("tenant", "acme").await?;
    recorder.wait_for_settled::<leaky>(1).await;
    queue.enqueue(leaky::new("hunter2")).await?;
    recorder.wait_for_settled::<leaky>(2).await;
    host.stop().await?;

    let log = lines.text()?;
    for line in ["at work", "discarded after 1 of 1 attempts"] {
        let found: Vec<_> = log.lines().filter(|found| found.contains(line)).collect();
        assert_eq!(found.len(), 2, "{line} in {log}");
        assert!(found[0].contains("process{tenant=\"acme\"}"), "{}", found[0]);
        assert!(found[1].contains("attempt{") && !found[1].contains("process{"), "{}", found[1]);
    }
    assert!(log.contains("`make_span` panicked"), "{log}");
    Ok(())
}

/// H77: a service that stops while none of its jobs run says so.
#[tokio::test]
async fn a_service_that_stops_while_no_job_runs_says_so() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();

    QueueService::new(MemoryQueue::new(), jobs![fail_as]).run_until(std::future::ready(())).await?;
    let host = Host::builder().service(QueueService::new(MemoryQueue::new(), jobs![fail_as])).build()?;
    host.start().await?.stop().await?;

    let log = lines.text()?;
    for part in ["stopping: no job is running", "stopped: 0 jobs finished during the stop, 0 released"] {
        assert!(log.contains(part), "no {part} in {log}");
    }
    Ok(())
}

#[background_job(max_attempts = 3)]
async fn chain_badly(#[inject] context: &JobContext) {
    context.then(queue_core::NewJob::from(fail_as::new("pass")).queue("not a name"));
}

/// H68: a job whose followups the queue refuses is logged as discarded, in the same words as any other.
#[tokio::test]
async fn a_job_with_refused_followups_is_logged_as_discarded() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![chain_badly]).observe(recorder.clone());
    let host = Host::builder().service(service).build()?.start().await?;

    let id = queue.enqueue(chain_badly::new()).await?.id();
    recorder.wait_for_settled::<chain_badly>(1).await;
    host.stop().await?;

    let log = lines.text()?;
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let id = format!("job.id={id}");
    for part in [
        "discarded at attempt 1 of 3: its followups can't be stored",
        "service=\"queue\"",
        &id,
        "job.queue=default",
    ] {
        assert!(errors[0].contains(part), "no {part} in {}", errors[0]);
    }
    Ok(())
}

/// The warning of an in-memory queue that is dropped names the queues of its unfinished jobs and their numbers.
#[tokio::test]
async fn a_dropped_queue_names_the_queues_of_its_unfinished_jobs() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let queue = MemoryQueue::new();
    queue.enqueue_all(["pass", "pass"].map(fail_as::new)).await?;
    for _ in 0..2 {
        queue.enqueue(fail_as::new("pass")).queue("mial").await?;
    }

    drop(queue);

    let (log, said) = (lines.text()?, "dropped with its unfinished jobs (default: 2, mial: 2) unfinished=4");
    assert!(log.contains(said), "no {said} in\n{log}");
    Ok(())
}

#[background_job(blocking)]
fn block(#[inject] dispatch: &tracing::Dispatch) {
    // A subscriber that was set for a test's own thread does not apply to other threads.
    tracing::dispatcher::with_default(dispatch, || tracing::info!("blocking at work"));
}

/// H19, H27: log lines of a blocking job, from its own thread, are within its attempt's span.
#[tokio::test]
async fn a_blocking_job_logs_within_its_span() -> TestResult {
    let lines = Lines::default();
    let dispatch = lines.dispatch();
    let _guard = tracing::dispatcher::set_default(&dispatch);
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
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

#[background_job(queue = "imges")]
async fn resize() {}

#[background_job(queue = "imges")]
async fn crop() {}

/// H71: at its start, the host warns once of a job whose queue none of its services serves, with the nearest queue and its
/// service.
#[tokio::test]
async fn a_job_whose_queue_is_not_served_is_named_at_the_start() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let service = |name: &str, queues: &[&str]| {
        let queues: Vec<_> = queues.iter().map(|queue| queue_core::QueueName::from(*queue)).collect();
        QueueService::new(MemoryQueue::new(), jobs![resize, crop]).named(name).queues(queues)
    };
    let host = Host::builder().service(service("pictures", &["images", "default"])).build()?;
    host.start().await?.stop().await?;
    let warned = lines.text()?;
    let both = [service("a", &["images"]), service("b", &["imges", "default"])];
    let host = both.into_iter().fold(Host::builder(), queue_tokio::HostBuilder::service).build()?;
    host.start().await?.stop().await?;

    let warnings: Vec<_> = warned.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let said = "`resize`, `crop` waits for ever: no service of this host serves its queue `imges` (the nearest that is \
                served: `images`): add the queue to `QueueService::queues` of the service `pictures`, or to another service";
    assert!(warnings[0].contains(said), "{}", warnings[0]);
    assert!(warnings[0].contains("service=\"pictures\""), "{}", warnings[0]);
    let after = lines.text()?;
    assert!(!after[warned.len()..].contains("WARN"), "another service of the host serves the queue: {after}");
    Ok(())
}

/// H71: a strict host refuses to start with a job whose queue none of its services serves, and logs no warning.
#[tokio::test]
async fn a_strict_host_refuses_a_job_whose_queue_is_not_served() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let service = |queues: &[&'static str]| {
        QueueService::new(MemoryQueue::new(), jobs![resize]).named("pictures").queues(queues.iter().copied())
    };

    let refused = Host::builder().service(service(&["images"])).strict().build().unwrap_err();
    let host = Host::builder().service(service(&["images", "imges"])).strict().build()?;
    host.start().await?.stop().await?;

    let said = "`resize` waits for ever: no service of this host serves its queue `imges` (the nearest that is served: `images`)";
    assert!(refused.to_string().contains(said), "{refused}");
    let log = lines.text()?;
    assert!(!log.contains("WARN"), "{log}");
    Ok(())
}

/// H10: a failing queue and its recovery are logged once for each service and operation, with the service's name.
#[tokio::test(start_paused = true)]
async fn a_failing_queue_is_logged_once_for_each_service_with_its_name() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let queue = MemoryQueue::new();
    let recorder = Recorder::new();
    let mut builder = Host::builder().services(Services::builder().singleton(7_u32).build()?);
    for name in ["mails", "bills"] {
        let faulty = Faulty::new(queue.clone(), TokioClock::new());
        for nth in 1..=3 {
            faulty.faults().on(Operation::Claim, nth, Fault::FailBefore);
        }
        builder =
            builder.service(QueueService::new(faulty, jobs![fail_as]).named(name).observe(recorder.clone()));
    }
    let host = builder.build()?.start().await?;
    let recovered = |event: &Event| matches!(event, Event::QueueRecovered { .. });
    queue.enqueue(fail_as::new("pass")).await?;
    recorder.wait_for_count("recoveries", 1, recovered).await;
    queue.enqueue(fail_as::new("pass")).await?;
    recorder.wait_for_settled::<fail_as>(2).await;
    host.stop().await?;

    let log = lines.text()?;
    for name in ["mails", "bills"] {
        let failed: Vec<_> = log
            .lines()
            .filter(|line| line.contains("ERROR") && line.contains(&format!("service=\"{name}\"")))
            .collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].contains("queue operation failed, retrying with backoff"), "{failed:?}");
    }
    Ok(())
}

/// A custom unit of work: it records the completion, and learns of that late.
struct Recording(JobContext);

#[background_job]
async fn record_late(#[inject] recording: &mut Recording) {
    let _: &Recording = recording;
}

/// H4: if its own unit of work has just completed a job, no lost lease is logged for it.
#[tokio::test(start_paused = true)]
async fn a_completion_by_a_unit_of_work_is_not_logged_as_a_lost_lease() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) =
        (MemoryQueue::new(), Recorder::with_deadline(std::time::Duration::from_secs(120)));
    let (settles, is_after) = (queue.clone(), std::sync::atomic::AtomicBool::new(false));
    let services = Services::builder()
        .unit_of_work(
            async |context: Arc<JobContext>| Ok::<_, std::io::Error>(Recording((*context).clone())),
            move |unit: Recording, _: queue_core::OutcomeKind| {
                let (queue, context) = (settles.clone(), unit.0);
                let is_after = is_after.fetch_xor(true, std::sync::atomic::Ordering::SeqCst);
                async move {
                    queue.settle(vec![Attempt::of(&context).completion()]).await?;
                    if is_after {
                        Attempt::of(&context).note_completed();
                    }
                    context.sleep(std::time::Duration::from_secs(15)).await; // virtual
                    Attempt::of(&context).note_completed();
                    Ok::<(), queue_core::QueueError>(())
                }
            },
        )
        .build()?;
    let service = QueueService::new(queue.clone(), jobs![record_late]).observe(recorder.clone());
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    for count in 1..=2 {
        queue.enqueue(record_late::new()).await?;
        recorder.wait_for_settled::<record_late>(count).await;
    }

    host.stop().await?;
    assert_eq!(recorder.count(|event| matches!(event, Event::LeaseLost(_))), 0);
    let log = lines.text()?;
    let warnings: Vec<_> =
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert_eq!(warnings, [""; 0]);
    Ok(())
}

/// H10: a settlement that was applied but whose answer was lost is not logged as unrecorded.
#[tokio::test(start_paused = true)]
async fn a_settlement_whose_answer_was_lost_is_not_logged_as_unrecorded() -> TestResult {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (queue, recorder) = (MemoryQueue::new(), Recorder::new());
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    faulty.faults().on(Operation::Settle, 1, Fault::FailAfter);
    let service = QueueService::new(faulty, jobs![fail_as]).observe(recorder.clone());
    let host = Host::builder().service(service).build()?.start().await?;

    queue.enqueue(fail_as::new("pass")).await?;
    recorder.wait_for_settled::<fail_as>(1).await;
    host.stop().await?;

    let log = lines.text()?;
    assert!(!log.contains("was not recorded"), "{log}");
    assert!(log.contains("a repeated settlement is stale"), "{log}");
    Ok(())
}
