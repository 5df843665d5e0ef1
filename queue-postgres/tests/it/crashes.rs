//! Jobs with a unit of work whose processes and server are killed under load (D12).

use std::process::{Command, Stdio};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, JobContext, JobError, NewJob, Queue as _, Services, State, background_job, jobs,
};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, number, run};
use crate::units::{add_a_cent, open_accounts, receipt};

#[background_job(max_attempts = 100, backoff = fixed("1ms"))]
async fn pay(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    schema: &str,
) -> Result<(), JobError> {
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    add_a_cent(tx, schema).await?;
    tokio::task::yield_now().await;
    add_a_cent(tx, schema).await?;
    Ok(())
}

const PLACE: &str = "QUEUE_POSTGRES_PLACE_OF_A_PROCESS_THAT_DIES";

/// The worker process, which works until it is killed.
#[test]
fn work_until_killed() {
    let Ok(place) = std::env::var(PLACE) else {
        // This function is the entry point of a process; as a test it does nothing.
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        host(&place).await.expect("a host that runs").run().await.expect("it runs until it's killed");
    });
}

/// A child process that is killed when it is dropped, if not before.
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

/// A worker as in an application, with leases that expire soon after its death.
async fn host(place: &str) -> Result<Host, BoxError> {
    let queue = PostgresQueue::connect(place).await?;
    let services = Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end).build()?;
    let service = QueueService::new(queue, jobs![pay]).queues(["default"]).concurrency(8);
    let service = service.lease(Duration::from_secs(1));
    Ok(Host::builder().services(services).service(service).build()?)
}

/// D12, D2: workers and the server are killed repeatedly under load; at the end each job's effects exist once.
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
        // One kill for every few completed jobs.
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

/// Returns the number of completed jobs; 0 while the server is down.
async fn completed(queue: &PostgresQueue) -> u64 {
    let counts = queue.counts().await.unwrap_or_default();
    counts.iter().map(|counts| counts.of(State::Completed)).sum()
}
