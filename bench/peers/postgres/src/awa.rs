//! awa, tuned as its documentation suggests for many small jobs: 1,024 jobs in flight, and calls that go directly to its queue
//! storage, in bulk by `COPY`.
//!
//! A job is in flight until its completion is on disk. With 64 in flight it drains a queue at less than half of the speed. All
//! else has its default: one claimer that notifications wake and that claims 512 jobs, completions in batches of up to 512 that
//! are collected for 1 ms, a deadline for each job, strict order. Finished jobs are kept until it truncates their segment of the
//! table, seconds later. All tasks share a pool of at most 40 connections, which it opens when needed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use awa::model::insert::params_with;
use awa::{
    AwaError, Client, InsertOpts, InsertParams, JobArgs, JobContext, JobResult, QueueConfig, QueueStorage,
    QueueStorageConfig,
};
use harness::{Payload, Producer, Scratch, System, Tally};
use serde::{Deserialize, Serialize};
use sqlx_08::PgPool;
use sqlx_08::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::task::{block_in_place, spawn_blocking};

const CONNECTIONS: u32 = 40;
/// The number of jobs in flight for each worker.
const IN_FLIGHT: usize = 16;
/// The time for which a shutdown waits for the jobs in flight.
const SHUTDOWN: Duration = Duration::from_secs(10);
const QUEUE: &str = "default";
/// Chooses the storage engine of a new database, as the first worker does: a job that is enqueued before goes to the old engine.
const CHOOSE_ENGINE: &str = "select awa.storage_auto_finalize_if_fresh('awa')";

fn main() -> anyhow::Result<()> {
    harness::program::run::<Awa>()
}

struct Awa {
    pool: PgPool,
    storage: Arc<QueueStorage>,
    tally: Tally,
}

impl System for Awa {
    type Producer = Entrance;
    type Workers = Workers;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let url = scratch.database().await?.url();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
        // Its future is `Send`, but the compiler can't see that (rust-lang/rust#100013).
        let (runtime, migrated) = (Handle::current(), pool.clone());
        spawn_blocking(move || runtime.block_on(awa::migrations::run(&migrated))).await??;
        sqlx_08::query(CHOOSE_ENGINE).execute(&pool).await?;
        let engine = awa::storage::status(&pool).await?.active_engine;
        ensure!(engine == "queue_storage", "the storage engine is {engine}");
        let storage = Arc::new(QueueStorage::new(QueueStorageConfig::default())?);
        Ok(Self { pool, storage, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance { pool: self.pool.clone(), storage: self.storage.clone() }
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<Workers> {
        let tally = self.tally;
        let max_workers = u32::try_from(workers * IN_FLIGHT)?;
        let client = Client::builder(self.pool.clone())
            .queue(QUEUE, QueueConfig { max_workers, ..QueueConfig::default() })
            .register(move |Welcome(payload), _: &JobContext| async move {
                tally.run(payload.user_id, &payload.template);
                Ok(JobResult::Completed)
            })
            .build()?;
        client.start().await?;
        Ok(Workers(client))
    }
}

/// The running workers. Dropping them waits until they have stopped, since the client would leave them running.
struct Workers(Client);

impl Drop for Workers {
    fn drop(&mut self) {
        block_in_place(|| Handle::current().block_on(self.0.shutdown(SHUTDOWN)));
    }
}

struct Entrance {
    pool: PgPool,
    storage: Arc<QueueStorage>,
}

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.storage.enqueue_params_batch(&self.pool, &[job(payload)?]).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let jobs = payloads.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
        self.storage.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }
}

fn job(payload: Payload) -> Result<InsertParams, AwaError> {
    params_with(&Welcome(payload), InsertOpts::default())
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Welcome(Payload);

impl JobArgs for Welcome {
    fn kind() -> &'static str {
        "welcome"
    }
}
