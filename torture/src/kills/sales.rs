//! Jobs of an application with effects in its own table: units of work, and drafts that later drafts replace.
//!
//! The applications of the load push them within transactions. Those transactions hold unique keys that the followups of units
//! of work and the replacements need at the same time. The workers of the load host these jobs beside the attempts that they run
//! by hand. The history has no events for units of work and replacements, so these jobs have a queue of their own, and are judged
//! by notes of their own.

mod notes;
mod postgres;
mod sqlite;

use std::time::Duration;

use fastrand::Rng;
use queue_core::{
    BoxError, CancellationToken, JobContext, JobError, JobId, Jobs, NewJob, Services, Unique, background_job,
};
use queue_tokio::{Host, QueueService};
use tokio::time::sleep;

use crate::queue::{Location, Store};

pub(super) use notes::{Notes, judge};

/// The queue of these jobs.
pub(super) const QUEUE: &str = "sales";

/// The number of unique keys of receipts, and of drafts; small, so that most keys are held.
const KEYS: u64 = 5;

/// The followup of a unit of work. Many receipts share a key.
#[background_job]
async fn receipt(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

/// A draft that waits under its key to be replaced. `version` is the push that its payload is from.
#[background_job(max_attempts = 1000, backoff = fixed("100ms"))]
async fn draft(version: JobId, millis: u64) {
    let _: JobId = version;
    sleep(Duration::from_millis(millis)).await;
}

/// Waits within a unit of work, then adds the followup. Sometimes fails.
async fn close(context: &JobContext, millis: u64) -> Result<(), JobError> {
    sleep(Duration::from_millis(millis)).await;
    context.then(keyed(fastrand::u64(0..KEYS), 1));
    if fastrand::u32(0..8) == 0 { Err("the customer went away")? } else { Ok(()) }
}

fn keyed(key: u64, millis: u64) -> NewJob {
    NewJob::from(receipt::new(millis)).queue(QUEUE).unique(key.to_string())
}

/// Creates a batch for a transaction: units of work, receipts whose keys followups need, and drafts that replace others.
pub(super) fn batch(location: &Location, random: &mut Rng) -> Vec<NewJob> {
    let mut one = || {
        let (id, millis) = (JobId::random(), random.u64(0..30));
        let job = match random.u32(0..5) {
            0 => keyed(random.u64(0..KEYS), millis),
            1 | 2 => {
                let key = Unique::new(random.u64(0..KEYS).to_string()).replace();
                let delay = Duration::from_millis(random.u64(0..600));
                NewJob::from(draft::new(id, millis)).unique(key).delay(delay)
            }
            _ => {
                // Some take long, so that kills and transactions hit them.
                let millis = if random.u32(0..5) == 0 { random.u64(0..1_000) } else { millis };
                match location {
                    Location::Database(_) => postgres::sell::new(millis).into(),
                    Location::File(_) => sqlite::sell::new(millis).into(),
                }
            }
        };
        job.queue(QUEUE).id(id)
    };
    (0..8).map(|_| one()).collect()
}

/// Creates the application's table.
pub(super) async fn prepare(location: &Location) -> Result<(), BoxError> {
    match location {
        Location::Database(url) => postgres::prepare(url).await,
        Location::File(file) => sqlite::prepare(file),
    }
}

/// Works on the queue until the driver stops the process.
pub(super) async fn work(store: Store, stop: CancellationToken) -> Result<(), BoxError> {
    let (jobs, services): (Jobs, Services) = match &store {
        Store::Postgres(queue) => (postgres::jobs(), postgres::services(queue)?),
        Store::Sqlite(queue) => (sqlite::jobs(), sqlite::services(queue)?),
    };
    let service = match store {
        Store::Postgres(queue) => QueueService::new(queue, jobs),
        Store::Sqlite(queue) => QueueService::new(queue, jobs),
    };
    let service = service.queues([QUEUE]).concurrency(6).lease(Duration::from_secs(2));
    let host = Host::builder().services(services).service(service);
    let host = host.shutdown_timeout(Duration::from_secs(2)).build()?;
    host.run_until(stop.cancelled_owned()).await?;
    Ok(())
}
