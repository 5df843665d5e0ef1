//! A job with a unit of work, crashed at each of its await points, by the death of its process and of its server (D12).

use std::future::{Future, poll_fn};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use queue_core::{
    BoxError, Delivery, Demand, Inspect, Interrupt, JobContext, JobError, NewJob, Performer, Queue as _,
    QueueExt as _, Services, State, World, background_job, jobs,
};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PgUnitOfWork, PostgresQueue};
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};

use crate::fixture::{NoThreads, TestResult, number, run, schema, url};
use crate::units::{add_a_cent, open_accounts, receipt};

#[background_job(max_attempts = 100, backoff = fixed("1ms"))]
async fn pay(
    #[inject] tx: &mut PgUnitOfWork,
    #[inject] context: &JobContext,
    schema: &str,
) -> Result<(), JobError> {
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    add_a_cent(tx, schema).await?;
    tokio::task::yield_now().await;
    add_a_cent(tx, schema).await?;
    Ok(())
}

/// A clock for attempts that need none.
struct Now;

impl queue_core::Clock for Now {
    fn now(&self) -> queue_core::Timestamp {
        std::time::SystemTime::now().into()
    }

    fn sleep(&self, _: Duration) -> queue_core::BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Polls a future so often at most; `None` if it was dropped before its end, as a crash does.
async fn crashed_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn claim(queue: &PostgresQueue, lease: Duration) -> Result<Delivery, BoxError> {
    let demand = Demand::new("default", 1).lease(lease);
    Ok(queue.claim(&demand).await?.pop().ok_or("a claim that waits for ever has a job")?)
}

/// D12: crashed after each poll, the job is delivered again, and its effects are there once.
#[tokio::test]
async fn crashed_at_any_await_point_the_effects_are_there_once() -> TestResult {
    let schema = schema();
    let queue = PostgresQueue::builder(url()).schema(&schema).connect().await?;
    let mut connection = PgConnection::connect(&url()).await?;
    open_accounts(&mut connection, &schema).await?;
    let services = Services::builder().unit_of_work(queue.unit_of_work(), PgUnitOfWork::end).build()?;
    let world = World { clock: Arc::new(Now), blocking: Arc::new(NoThreads), observer: None };
    let performer = Performer::new(jobs![pay], services, Arc::new(queue.clone()), &[], world.clone());
    let mut crashes = 0;
    // How many polls it takes depends on how fast the server is: there are more of these than it ever needs.
    for (jobs, points) in (1..).zip(0..24) {
        let id = queue.enqueue(pay::new(&schema)).await?.id();
        // A lease so short that the crashed attempt's is void at once, and long enough for one that lives.
        let delivery = claim(&queue, Duration::from_millis(200)).await?;
        let is_crashed = crashed_after(points, performer.run(&delivery, Interrupt::new())).await.is_none();
        if is_crashed {
            crashes += 1;
            let state = queue.get(id).await?.ok_or("the job is gone")?.state;
            if state != State::Completed {
                let again = claim(&queue, Duration::from_secs(30)).await?;
                assert_eq!(again.id(), id);
                let attempted = performer.run(&again, Interrupt::new()).await;
                assert!(attempted.is_recorded, "{attempted:?}");
            }
        }
        assert_eq!(queue.get(id).await?.map(|job| job.state), Some(State::Completed), "crashed at {points}");
        let cents = number(&mut connection, format!("select cents::bigint from {schema}.accounts")).await?;
        assert_eq!(cents, 2 * jobs, "crashed at {points}");
        let receipts = queue.claim(&Demand::new("receipts", 10).wait(Duration::ZERO)).await?;
        assert_eq!(receipts.len(), 1, "crashed at {points}");
    }
    assert!(crashes >= 3, "it crashed {crashes} times only");
    Ok(())
}

const PLACE: &str = "QUEUE_POSTGRES_PLACE_OF_A_PROCESS_THAT_DIES";

/// The process that dies: works until it's killed.
#[test]
fn work_until_killed() {
    let Ok(place) = std::env::var(PLACE) else {
        // Among the other tests this one has nothing to do.
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        host(&place).await.expect("a host that runs").run().await.expect("it runs until it's killed");
    });
}

/// A process that is killed with its owner, if not before.
struct Worker(std::process::Child);

impl Worker {
    fn start(place: &str) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", "crashes::work_until_killed", "--nocapture"]).env(PLACE, place);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A worker as an application has it, with leases that are soon void when it has died.
async fn host(place: &str) -> Result<Host, BoxError> {
    let queue = PostgresQueue::connect(place).await?;
    let services = Services::builder().unit_of_work(queue.unit_of_work(), PgUnitOfWork::end).build()?;
    let service = QueueService::new(queue, jobs![pay]).queues(["default"]).concurrency(8);
    let service = service.lease(Duration::from_secs(1));
    Ok(Host::builder().services(services).service(service).build()?)
}

/// D12, D2: workers and the server are killed in mid-load, again and again; in the end each job's effects are there once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_and_servers_leave_each_effect_once() -> TestResult {
    const JOBS: i64 = 600;
    let server = Postgres::start(Durability::Process, &[])?;
    let place = server.url("postgres");
    let queue = PostgresQueue::connect(&place).await?;
    let mut connection = PgConnection::connect(&place).await?;
    run(&mut connection, "create schema shop").await?;
    open_accounts(&mut connection, "shop").await?;
    queue.push((0..JOBS).map(|_| pay::new("shop").into()).collect()).await?;
    let mut workers = [Worker::start(&place)?, Worker::start(&place)?];
    let mut kills = 0;
    while completed(&queue).await < JOBS as u64 {
        let before = completed(&queue).await;
        // A kill for every few jobs that were completed since the last one.
        while completed(&queue).await < (before + 30).min(JOBS as u64) {}
        kills += 1;
        if kills % 4 == 0 {
            server.kill();
            server.restart()?;
        } else {
            let at = kills % workers.len();
            workers[at] = Worker::start(&place)?;
        }
    }
    drop(workers);

    let mut connection = PgConnection::connect(&place).await?;
    assert_eq!(number(&mut connection, "select cents::bigint from shop.accounts").await?, 2 * JOBS);
    let receipts = queue.counts().await?;
    let receipts: u64 =
        receipts.iter().filter(|counts| counts.queue == "receipts").map(|counts| counts.unfinished()).sum();
    assert_eq!(receipts, JOBS as u64);
    assert!(kills >= 8, "{kills} kills are too few");
    Ok(())
}

/// How many jobs are completed; nothing is known while the server is away.
async fn completed(queue: &PostgresQueue) -> u64 {
    let counts = queue.counts().await.unwrap_or_default();
    counts.iter().map(|counts| counts.of(State::Completed)).sum()
}
