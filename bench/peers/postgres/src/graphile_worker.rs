//! graphile_worker, tuned as its documentation suggests for many small jobs: a local queue of 500, and completions in batches
//! that are collected for 5 ms.
//!
//! Without these settings it drains a queue at a fourteenth of the speed. Notifications wake it. A finished job is deleted.
//! All tasks share a pool of 40 connections.

use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use harness::{Payload, Producer, Scratch, System, Tally};
use serde::{Deserialize, Serialize};
use sqlx_09::PgPool;
use sqlx_09::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const CONNECTIONS: u32 = 40;
/// The number of jobs in a fetch.
const FETCHED: usize = 500;
/// The time for which completions are collected.
const GATHERS: Duration = Duration::from_millis(5);

fn main() -> anyhow::Result<()> {
    harness::program::run::<GraphileWorker>()
}

struct GraphileWorker {
    pool: PgPool,
    entrance: WorkerUtils,
    tally: Tally,
}

impl System for GraphileWorker {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let url = scratch.database().await?.url();
        let pool = PgPoolOptions::new()
            .min_connections(CONNECTIONS)
            .max_connections(CONNECTIONS)
            .connect(&url)
            .await?;
        // A worker that never runs creates its tables.
        let entrance = options(&pool, tally, 1).init().await?.create_utils();
        Ok(Self { pool, entrance, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(self.entrance.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let worker = options(&self.pool, self.tally, workers).init().await?;
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("the worker of graphile_worker ended: {error}");
            }
        });
        Ok(running)
    }
}

struct Entrance(WorkerUtils);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.add_job(Welcome(payload), JobSpec::default()).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let spec = JobSpec::default();
        let jobs: Vec<_> = payloads.into_iter().map(|payload| (Welcome(payload), &spec)).collect();
        self.0.add_jobs::<Welcome>(&jobs).await?;
        Ok(())
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Welcome(Payload);

impl TaskHandler for Welcome {
    const IDENTIFIER: &'static str = "welcome";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tally) = context.get_ext::<Tally>() else { return Err("the tally is missing".to_owned()) };
        tally.run(self.0.user_id, &self.0.template);
        tally.work().await;
        Ok::<(), String>(())
    }
}

fn options(pool: &PgPool, tally: Tally, workers: usize) -> WorkerOptions {
    WorkerOptions::default()
        .concurrency(workers)
        .schema("graphile_worker")
        .define_job::<Welcome>()
        .add_extension(tally)
        .pg_pool(pool.clone())
        .listen_os_shutdown_signals(false)
        .local_queue(LocalQueueConfig::default().with_size(FETCHED))
        .complete_job_batch_delay(GATHERS)
}
