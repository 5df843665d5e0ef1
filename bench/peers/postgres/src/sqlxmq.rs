//! sqlxmq as its documentation shows it: a job function, a registry, and a runner that notifications wake.
//!
//! It takes one job a call. A finished job is deleted. All tasks share a pool of 40 connections.

use std::path::Path;

use harness::{Payload, Producer, Scratch, System, Tally};
use sqlx_08::PgPool;
use sqlx_08::migrate::Migrator;
use sqlx_08::postgres::PgPoolOptions;
use sqlxmq::{CurrentJob, JobRegistry, JobRunnerHandle, job};

const CONNECTIONS: u32 = 40;
/// Its tables; it does not create them itself.
const MIGRATIONS: &str = concat!(env!("SQLXMQ"), "/migrations");

fn main() -> anyhow::Result<()> {
    harness::program::run::<Sqlxmq>()
}

struct Sqlxmq {
    pool: PgPool,
    tally: Tally,
}

impl System for Sqlxmq {
    type Producer = Entrance;
    type Workers = JobRunnerHandle;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let url = scratch.database().await?.url();
        let pool = PgPoolOptions::new()
            .min_connections(CONNECTIONS)
            .max_connections(CONNECTIONS)
            .connect(&url)
            .await?;
        Migrator::new(Path::new(MIGRATIONS)).await?.run(&pool).await?;
        Ok(Self { pool, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(self.pool.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JobRunnerHandle> {
        let mut registry = JobRegistry::new(&[welcome]);
        registry.set_context(self.tally);
        // It fetches more when half of them are done, so that it does not fetch each singly.
        Ok(registry.runner(&self.pool).set_concurrency(workers / 2, workers).run().await?)
    }
}

struct Entrance(PgPool);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        welcome.builder().set_json(&payload)?.spawn(&self.0).await?;
        Ok(())
    }
}

#[job(channel_name = "welcome")]
async fn welcome(
    mut job: CurrentJob,
    tally: Tally,
) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
    let payload: Payload = job.json()?.ok_or("the payload is missing")?;
    tally.run(payload.user_id, &payload.template);
    job.complete().await?;
    Ok(())
}
