//! Connections that die without being closed (D27).

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_core::{
    Admin as _, BoxError, Event, IntoJob, JobContext, JobError, QueueError, QueueErrorKind, QueueExt as _,
    Services, State, Transition, background_job, jobs,
};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService, RunningHost};
use test_servers::{Durability, Fault, Postgres, Proxy};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::fixture::{TestResult, number, run};
use crate::logs;

struct Ends(Arc<Semaphore>);

/// A job that runs until the test releases it.
#[background_job(max_attempts = 1)]
async fn hold(#[inject] ends: &Ends) -> Result<(), JobError> {
    ends.0.acquire().await?.forget();
    Ok(())
}

#[background_job]
async fn quick(number: u32) {
    let _: u32 = number;
}

#[background_job]
async fn write(#[inject] tx: &mut PostgresUnitOfWork, number: i32) -> Result<(), JobError> {
    queue_postgres::sqlx::query("insert into written values ($1)").bind(number).execute(&mut **tx).await?;
    Ok(())
}

/// Writes, waits until the test releases it, and commits.
#[background_job(max_attempts = 2, backoff = fixed("1ms"))]
async fn write_and_hold(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    #[inject] ends: &Ends,
) -> Result<(), JobError> {
    queue_postgres::sqlx::query("insert into written values (77)").execute(&mut **tx).await?;
    context.progress(50, "written");
    ends.0.acquire().await?.forget();
    Ok(())
}

/// The bound within which a call is answered or refused, even if its connection has died.
const ANSWER: Duration = Duration::from_secs(5);

/// Twice the default poll interval, and some time for a busy machine. The listener alone would take 3 s to notice.
const START: Duration = Duration::from_millis(2_700);

/// A program whose connections can die, and another whose connections live.
struct Programs {
    server: Postgres,
    proxy: Proxy,
    queue: PostgresQueue,
    other: PostgresQueue,
    recorder: Recorder,
    ends: Arc<Semaphore>,
    running: RunningHost,
}

impl Programs {
    async fn start(lease: Duration) -> Result<Self, BoxError> {
        logs::keep();
        let server = Postgres::start(Durability::Process, &[])?;
        let proxy = Proxy::to_postgres(&server)?;
        let queue = PostgresQueue::connect(proxy.url("postgres")).await?;
        let other = PostgresQueue::connect(server.url("postgres")).await?;
        let mut connection = PgConnection::connect(&server.url("postgres")).await?;
        run(&mut connection, "create table written (number integer)").await?;
        let ends = Arc::new(Semaphore::new(0));
        let services = Services::builder()
            .singleton(Ends(ends.clone()))
            .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
            .build()?;
        let recorder = Recorder::with_deadline(Duration::from_secs(60));
        let service = QueueService::new(queue.clone(), jobs![hold, quick, write, write_and_hold])
            .lease(lease)
            .concurrency(6);
        let service = service.observe(recorder.clone());
        let running = Host::builder().services(services).service(service).build()?.start().await?;
        Ok(Self { server, proxy, queue, other, recorder, ends, running })
    }

    /// Pushes a job from the other program, and returns how long it takes to start.
    async fn starts(&self, job: impl IntoJob) -> Result<Duration, BoxError> {
        let id = self.other.enqueue(job).await?.id();
        let began = Instant::now();
        self.recorder.wait_for("a start", |event| matches!(event, Event::Started(job) if job.id == id)).await;
        Ok(began.elapsed())
    }

    /// Waits until a job has completed.
    async fn completes(&self, id: queue_core::JobId) {
        let is_end = |event: &Event| matches!(event, Event::Settled { job, transition: Transition::Complete { .. }, .. } if job.id == id);
        self.recorder.wait_for("a completion", is_end).await;
    }

    /// Kills the open connections that have sent `word`, and returns their number. Later connections live.
    fn kill(&self, word: &str) -> usize {
        self.proxy.set_matching(|connection| connection.has_said(word), Fault::HalfOpen)
    }

    fn warnings(&self) -> usize {
        let name = self.proxy.address().to_string();
        logs::count(&["WARN", &name]) + logs::count(&["the queue fails", &name])
    }

    async fn no_lease_was_lost(&self) -> TestResult {
        let lost = self.recorder.events().iter().filter(|event| matches!(event, Event::LeaseLost(_))).count();
        assert_eq!(lost, 0, "leases were lost");
        Ok(())
    }
}

/// A call is answered or refused within the bound.
#[track_caller]
fn in_time<T>(answer: &Result<T, QueueError>, began: Instant, what: &str) {
    let took = began.elapsed();
    assert!(took < ANSWER, "{what} took {took:?}");
    if let Err(error) = answer {
        assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{what}: {error:?}");
    }
}

/// D27: when every connection dies, no lease is lost, calls are answered, jobs of other processes start, and there is one
/// warning.
#[tokio::test(flavor = "multi_thread")]
async fn dead_connections_cost_no_lease_and_no_answer() -> TestResult {
    let programs = Programs::start(Duration::from_secs(4)).await?;
    let held = programs.queue.enqueue(hold::new()).await?.id();
    programs.starts(quick::new(1)).await?;
    let written = programs.queue.enqueue(write::new(1)).await?.id();
    programs.completes(written).await;
    programs.queue.counts().await?;
    let before = programs.warnings();

    assert!(programs.proxy.connections().len() >= 6, "there are fewer connections than the queue needs");
    programs.proxy.set_open(Fault::HalfOpen);

    let began = Instant::now();
    let (pushed, counted, started, unit) = tokio::join!(
        programs.queue.enqueue(quick::new(2)).into_future(),
        programs.queue.counts(),
        programs.starts(quick::new(3)),
        programs.other.enqueue(write::new(2)),
    );
    in_time(&pushed, began, "the push");
    in_time(&counted, began, "the count");
    let started = started?;
    assert!(started < START, "a job of another process started after {started:?}");
    programs.completes(unit?.id()).await;
    // Three renewals take place.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        programs.starts(quick::new(4)).await?;
    }
    programs.ends.add_permits(1);
    programs.completes(held).await;

    programs.no_lease_was_lost().await?;
    let job = programs.queue.get(held).await?.ok_or("the job")?;
    assert_eq!((job.state, job.attempt), (State::Completed, 1));
    assert_eq!(programs.warnings() - before, 1, "warnings");
    programs.running.stop().await?;
    Ok(())
}

/// D27: any single connection may die.
#[tokio::test(flavor = "multi_thread")]
async fn any_single_connection_may_die() -> TestResult {
    let programs = Programs::start(Duration::from_secs(4)).await?;
    let held = programs.queue.enqueue(hold::new()).await?.id();
    let words =
        [".push(", "ready select", ".claim(", ".settle(", ".renew(", "LISTEN", "written", "pg_notify"];
    for round in 0..3 {
        // Each task has opened its connection by then.
        let burst = (0..8).map(|number| programs.queue.enqueue(quick::new(number)).into_future());
        for pushed in futures_util::future::join_all(burst).await {
            pushed?;
        }
        let written = programs.queue.enqueue(write::new(round)).await?.id();
        programs.completes(written).await;
    }
    let renewed = timeout(Duration::from_secs(20), async {
        while programs.kill(".renew(") == 0 {
            tokio::task::yield_now().await;
        }
    });
    renewed.await?;

    for (number, word) in (100..).zip(words) {
        let killed = programs.kill(word);
        let began = Instant::now();
        let (pushed, listed, started, written) = tokio::join!(
            programs.queue.enqueue(quick::new(number)),
            programs.queue.counts(),
            programs.starts(quick::new(number)),
            programs.other.enqueue(write::new(1)),
        );
        in_time(&pushed, began, word);
        in_time(&listed, began, word);
        let started = started?;
        assert!(
            started < START,
            "{word} ({killed} killed): a job of another process started after {started:?}"
        );
        programs.completes(pushed?.id()).await;
        programs.completes(written?.id()).await;
    }

    programs.ends.add_permits(1);
    programs.completes(held).await;
    programs.no_lease_was_lost().await?;
    programs.running.stop().await?;
    Ok(())
}

/// D27, D14: a push that waits for a lock is not given up, however long the wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_waits_for_a_lock_does_not_count_as_dead() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    queue.enqueue(quick::new(1)).await?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let mut tx = connection.begin().await?;
    run(&mut tx, "lock table queue.ready in access exclusive mode").await?;
    let mut push = queue.enqueue(quick::new(2)).into_future();

    let early = timeout(Duration::from_secs(6), &mut push).await;

    assert!(early.is_err(), "{early:?}");
    tx.rollback().await?;
    push.await?;
    assert_eq!(number(&mut connection, "select count(*) from queue.jobs").await?, 2);
    Ok(())
}

/// D27, D12: if the connection of a unit of work dies, the attempt and its transaction end within the bound, and the job
/// is retried.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_unit_of_work_loses_its_connection_is_retried() -> TestResult {
    let programs = Programs::start(Duration::from_secs(30)).await?;
    let mut connection = PgConnection::connect(&programs.server.url("postgres")).await?;
    let id = programs.other.enqueue(write_and_hold::new()).await?.id();
    programs.recorder.wait_for("the write", |event| matches!(event, Event::Progressed { .. })).await;

    assert_eq!(programs.kill("into written"), 1);
    programs.ends.add_permits(2);
    let began = Instant::now();
    programs.completes(id).await;

    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(number(&mut connection, "select count(*) from written").await?, 1);
    let error =
        programs.queue.get(id).await?.and_then(|job| job.errors.into_iter().last()).ok_or("an error")?;
    assert!(error.message.contains("stopped answering"), "{}", error.message);
    let name = programs.proxy.address().to_string();
    assert_eq!(logs::count(&["WARN", "and is replaced", &name]), 1);
    programs.running.stop().await?;
    Ok(())
}

/// D27, D13: each time the listener's connection dies, jobs of other processes start within twice the poll interval.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_listener_delays_no_job() -> TestResult {
    let programs = Programs::start(Duration::from_secs(30)).await?;
    for number in 0..3 {
        // When jobs start at once, notifications arrive, or a claim has just begun and the listener is about to connect.
        while programs.starts(quick::new(number)).await? > Duration::from_millis(100)
            || programs.kill("listen ") == 0
        {}

        for _ in 0..3 {
            let started = programs.starts(quick::new(number)).await?;
            assert!(started < START, "round {number}: a job of another process started after {started:?}");
        }
    }
    // All of these jobs may have been found by other scans. While claims wait, the connection is checked.
    let noticed = async {
        while programs.warnings() == 0 {
            programs.starts(quick::new(3)).await?;
        }
        Ok::<_, BoxError>(())
    };
    timeout(Duration::from_secs(30), noticed).await??;
    assert_eq!(programs.warnings(), 1);
    programs.running.stop().await?;
    Ok(())
}
