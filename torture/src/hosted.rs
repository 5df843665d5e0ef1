//! Load on a queue in PostgreSQL within this process: producers and hosted workers, and a ledger of both.
//!
//! All tasks share the [`Ledger`]. Producers record acknowledged jobs, jobs record where they ran, and the scenario judges
//! both once every job has finished.

mod ledger;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::{
    Admin as _, BoxError, JobContext, JobError, JobId, NewJob, Queue as _, QueueError, Receipt, Services,
    background_job, jobs,
};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork, sqlx};
use queue_tokio::{Host, QueueService, RunningHost};
use tokio::time::sleep;

pub(crate) use ledger::{Acknowledged, Ledger};

/// The number of unfinished jobs above which producers wait.
const BACKLOG: u64 = 200;

/// The time limit of everything that must happen once the server can be reached.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The application's table, which [`struct@write`] writes to. It has no key, so a job that wrote twice has two rows.
pub(crate) const TABLE: &str = "create table written (job uuid not null)";

/// Runs for some milliseconds, and records the queue that it was pushed to.
#[background_job(max_attempts = 1000, backoff = fixed("50ms"))]
async fn note(#[inject] context: &JobContext, #[inject] ledger: &Ledger, queue: &str, millis: u64) {
    sleep(Duration::from_millis(millis)).await;
    ledger.ran(context.id(), queue, context.queue());
}

/// Writes a row with its id, committed together with its completion.
#[background_job(max_attempts = 1000, backoff = fixed("50ms"), timeout = "20s")]
async fn write(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    #[inject] ledger: &Ledger,
    queue: &str,
    millis: u64,
) -> Result<(), JobError> {
    let row = sqlx::query("insert into written (job) values ($1)").bind(context.id().as_uuid());
    row.execute(&mut **tx).await?;
    sleep(Duration::from_millis(millis)).await;
    ledger.ran(context.id(), queue, context.queue());
    Ok(())
}

/// Starts workers on queues.
pub(crate) async fn work(
    queue: &PostgresQueue,
    names: impl IntoIterator<Item = String>,
    ledger: &Arc<Ledger>,
) -> Result<RunningHost, BoxError> {
    let services = Services::builder()
        .singleton_as(ledger.clone())
        .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
        .build()?;
    let service = QueueService::new(queue.clone(), jobs![note, write]).queues(names);
    let service = service.concurrency(8).lease(Duration::from_secs(2));
    Ok(Host::builder().services(services).service(service).build()?.start().await?)
}

/// Pushes batches to the ledger's queues until the ledger ends.
pub(crate) async fn produce(
    queue: PostgresQueue,
    ledger: Arc<Ledger>,
    mut random: Rng,
) -> Result<(), BoxError> {
    while !ledger.is_over() {
        if unfinished(&queue).await? > BACKLOG {
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        let names = ledger.names();
        let count = random.usize(1..=12);
        let chosen: Vec<(JobId, String)> =
            (0..count).filter_map(|_| Some((JobId::random(), random.choice(&names)?.clone()))).collect();
        let jobs = chosen.iter().map(|(id, name)| job(name, &mut random).id(*id)).collect();
        push(&queue, jobs, &ledger).await?;
        ledger.acknowledge(chosen);
        sleep(Duration::from_millis(random.u64(0..20))).await;
    }
    Ok(())
}

fn job(name: &str, random: &mut Rng) -> NewJob {
    let millis = if random.u32(0..50) == 0 { random.u64(0..800) } else { random.u64(0..5) };
    let job: NewJob =
        if random.u32(0..4) == 0 { write::new(name, millis).into() } else { note::new(name, millis).into() };
    job.queue(name)
}

/// Pushes a batch, repeating the push while the server is down.
async fn push(queue: &PostgresQueue, jobs: Vec<NewJob>, ledger: &Ledger) -> Result<(), BoxError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match queue.push(jobs.clone()).await {
            Ok(receipts) => {
                let is_stored = jobs.iter().zip(&receipts).all(|(job, receipt)| {
                    job.id.is_some_and(|id| *receipt == Receipt::Stored(id)) && receipts.len() == jobs.len()
                });
                return if is_stored { Ok(()) } else { Err("a push of new jobs has other receipts".into()) };
            }
            Err(error) if error.is_transient() && Instant::now() < deadline => ledger.push_failed(),
            Err(error) => return Err(error.into()),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the number of unfinished jobs; `u64::MAX` while the server is down.
async fn unfinished(queue: &PostgresQueue) -> Result<u64, QueueError> {
    match queue.counts().await {
        Ok(counts) => Ok(counts.iter().map(|counts| counts.unfinished()).sum()),
        Err(error) if error.is_transient() => Ok(u64::MAX),
        Err(error) => Err(error),
    }
}
