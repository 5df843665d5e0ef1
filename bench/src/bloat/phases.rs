//! Many jobs pass through the queue, pushed in bulk and run at once; measures the cost of each part.

use std::time::Instant;

use harness::{BATCH, Database};
use queue_core::{NewJob, Queue as _};
use queue_postgres::PostgresQueue;
use tokio_postgres::Client;

use super::backpressure::{Backpressure, pass};
use crate::server::Server;

/// The number of parts in which the jobs are reported.
const PARTS: u64 = 10;
/// The most waiting jobs.
const BOUND: u32 = 20_000;

/// The concurrent activity in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    Nothing,
    /// A transaction with a snapshot from before the first job, so that vacuum may remove nothing.
    Transaction,
}

/// The cost of a part of the jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The number of jobs so far.
    pub(crate) done: u64,
    /// Jobs per second.
    pub(crate) rate: f64,
    /// Seconds of the server's CPU for 100,000 jobs.
    pub(crate) cpu: f64,
    /// Bytes of log per job.
    pub(crate) logged: f64,
    /// Dead rows in the tables of ready and running jobs.
    pub(crate) dead: i64,
    /// The size of those tables with their indexes.
    pub(crate) bytes: i64,
}

/// Passes `jobs` jobs through a fresh queue.
pub(super) async fn run(server: &Server, jobs: u64, elsewhere: Elsewhere) -> anyhow::Result<Vec<Step>> {
    let database = Database::on(server.address()?).await?;
    let looking = database.connect().await?;
    let holding = match elsewhere {
        Elsewhere::Nothing => None,
        Elsewhere::Transaction => Some(hold(&database).await?),
    };
    let queue = PostgresQueue::connect(database.url()).await?;
    let backpressure = Backpressure::of(BOUND as usize);
    let running = backpressure.start(queue.clone()).await?;

    let mut steps = Vec::new();
    for part in 1..=PARTS {
        let size = jobs / PARTS / BATCH * BATCH;
        let (cpu, logged) = (database.server().cpu()?, database.logged().await?);
        let start = Instant::now();
        put_through(&queue, &backpressure, size).await?;
        let rate = size as f64 / start.elapsed().as_secs_f64();
        let cpu = database.server().cpu()?.saturating_sub(cpu).as_secs_f64() * 100_000.0 / size as f64;
        let logged = (database.logged().await? - logged) as f64 / size as f64;
        let (dead, bytes) = size_of_work(&looking).await?;
        let step = Step { done: part * size, rate, cpu, logged, dead, bytes };
        eprintln!("{elsewhere:?} elsewhere: {step:?}");
        steps.push(step);
    }
    running.stop().await?;
    drop(holding);
    Ok(steps)
}

async fn put_through(queue: &PostgresQueue, backpressure: &Backpressure, jobs: u64) -> anyhow::Result<()> {
    for first in (0..jobs).step_by(BATCH as usize) {
        backpressure.enter(BATCH as u32).await?;
        queue.push((first..first + BATCH).map(job).collect()).await?;
    }
    backpressure.wait_for(BOUND).await
}

pub(super) fn job(user_id: u64) -> NewJob {
    pass::new(user_id, "welcome").into()
}

/// Opens a transaction that has read a table unrelated to the queue.
async fn hold(database: &Database) -> anyhow::Result<Client> {
    let client = database.connect().await?;
    client.batch_execute("create table unrelated (id integer)").await?;
    client.batch_execute("begin isolation level repeatable read; select 1 from unrelated").await?;
    Ok(client)
}

async fn size_of_work(looking: &Client) -> anyhow::Result<(i64, i64)> {
    let sizes = "select coalesce(sum(n_dead_tup), 0)::bigint, coalesce(sum(pg_total_relation_size(relid)), 0)::bigint \
                 from pg_stat_user_tables where schemaname = 'queue' and relname in ('ready', 'leases')";
    let row = looking.query_one(sizes, &[]).await?;
    Ok((row.get(0), row.get(1)))
}
