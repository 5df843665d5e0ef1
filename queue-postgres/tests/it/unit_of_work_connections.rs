//! The connections of units of work: jobs wait for them, and they are released within a bound (D12, D27, H66).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use queue_core::{
    Admin as _, BoxError, Event, JobError, NewJob, Queue as _, QueueExt as _, Services, State, Transition,
    background_job, jobs,
};
use queue_postgres::sqlx::postgres::PgPoolOptions;
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService, RunningHost};

use crate::fixture::{TestResult, number, run, schema, url};

/// Takes a tenth of its timeout, at the server.
#[background_job(max_attempts = 1, timeout = "3s")]
async fn take_a_while(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] runs: &AtomicU32,
) -> Result<(), JobError> {
    runs.fetch_add(1, Ordering::SeqCst);
    sqlx::query("select pg_sleep(0.3)").execute(&mut **tx).await?;
    Ok(())
}

#[background_job(max_attempts = 1, timeout = "1s")]
async fn take_too_long(#[inject] tx: &mut PostgresUnitOfWork, schema: &str) -> Result<(), JobError> {
    let lock = format!("lock table {schema}.accounts in access exclusive mode");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut **tx).await?;
    sqlx::query("select pg_sleep(60)").execute(&mut **tx).await?;
    Ok(())
}

async fn start(
    builder: PostgresQueueBuilder,
    concurrency: usize,
) -> Result<(PostgresQueue, Recorder, RunningHost), BoxError> {
    let queue = builder.connect().await?;
    let services = Services::builder()
        .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
        .singleton(AtomicU32::new(0))
        .build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(120));
    let service =
        QueueService::new(queue.clone(), jobs![take_a_while, take_too_long]).concurrency(concurrency);
    let service = service.observe(recorder.clone());
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    Ok((queue, recorder, running))
}

fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::Settled { transition: Transition::Complete { .. } | Transition::Discard { .. }, .. }
    )
}

/// H66: jobs outnumber the connections by far, and wait longer than their timeout and than the pool's.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_connection_takes_no_attempt_and_no_time() -> TestResult {
    const JOBS: u32 = 40;
    let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(1));
    let pool = pool.connect_lazy(&url())?;
    for builder in [
        PostgresQueue::builder(url()).unit_of_work_connections(2).timeout(Duration::from_secs(2)),
        PostgresQueue::builder(pool),
    ] {
        let (queue, recorder, running) = start(builder.schema(schema()), 40).await?;

        queue.push((0..JOBS).map(|_| NewJob::from(take_a_while::new())).collect()).await?;
        while recorder.count(is_end) < JOBS as usize {
            let before = recorder.count(is_end);
            recorder.wait_for("an end", |_| recorder.count(is_end) > before).await;
        }

        let counts = queue.counts().await?;
        assert_eq!(counts.iter().map(|counts| counts.of(State::Completed)).sum::<u64>(), u64::from(JOBS));
        running.stop().await?;
    }
    Ok(())
}

/// H66: a job that waits for a connection is ended by a stop, uncounted.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_for_a_connection_ends_with_a_stop_uncounted() -> TestResult {
    let pool = PgPoolOptions::new().max_connections(1).connect(&url()).await?;
    let taken = pool.acquire().await?;
    let schema = schema();
    let queue = PostgresQueue::builder(pool).schema(&schema).connect().await?;
    let services = Services::builder()
        .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
        .singleton(AtomicU32::new(0))
        .build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service = QueueService::new(queue.clone(), jobs![take_a_while]).observe(recorder.clone());
    let host = Host::builder().services(services).shutdown_timeout(Duration::from_millis(100));
    let running = host.service(service).build()?.start().await?;
    let id = queue.enqueue(take_a_while::new()).await?.id();
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    let began = Instant::now();
    running.stop().await?;

    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let job = queue.get(id).await?.ok_or("the job")?;
    assert_eq!((job.state, job.attempt), (State::Available, 0), "{job:?}");
    drop(taken);
    Ok(())
}

/// D27, H3: the timeout ends an attempt in the middle of a statement, and its locks go.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_statement_and_its_locks() -> TestResult {
    let schema = schema();
    let (queue, recorder, running) = start(PostgresQueue::builder(url()).schema(&schema), 4).await?;
    let mut connection = PgConnection::connect(&url()).await?;
    run(&mut connection, format!("create table {schema}.accounts (cents integer)")).await?;

    let id = queue.enqueue(take_too_long::new(&schema)).await?.id();
    let began = Instant::now();
    recorder.wait_for("the end", is_end).await;

    assert!(began.elapsed() < Duration::from_secs(6), "the attempt lasted {:?}", began.elapsed());
    let error = queue.get(id).await?.and_then(|job| job.errors.into_iter().last()).ok_or("an error")?;
    assert!(error.message.contains("timed out after 1s"), "{}", error.message);
    let count = number(&mut connection, format!("select count(*) from {schema}.accounts")).await?;
    assert_eq!((count, began.elapsed() < Duration::from_secs(10)), (0, true), "{:?}", began.elapsed());
    running.stop().await?;
    Ok(())
}

/// H66: only a server that really can't be reached fails the attempt, and the error says what was wanted.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_cannot_connect_says_so() -> TestResult {
    let nowhere = tempfile::tempdir()?;
    let options = url().parse::<sqlx::postgres::PgConnectOptions>()?;
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(1));
    let pool = pool.connect_lazy_with(options);
    // The queue's own connections keep the options that they began with.
    let builder =
        PostgresQueue::builder(pool.clone()).connect_options_with(|options| async move { Ok(options) });
    let (queue, recorder, running) = start(builder.schema(schema()), 4).await?;
    pool.set_connect_options(url().parse::<sqlx::postgres::PgConnectOptions>()?.socket(nowhere.path()));

    let id = queue.enqueue(take_a_while::new()).await?.id();
    recorder.wait_for("the end", is_end).await;

    let error = queue.get(id).await?.and_then(|job| job.errors.into_iter().last()).ok_or("an error")?;
    assert!(error.message.contains("can't be reached"), "{}", error.message);
    running.stop().await?;
    Ok(())
}
