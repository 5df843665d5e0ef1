//! apalis on PostgreSQL, as its documentation shows it for low latency: woken by notifications, with a poll every 500 ms.
//!
//! All jobs run within the worker's one task, its default; each is locked and its result kept, also by default. It
//! keeps finished jobs. All tasks share a pool of 40 connections.

use std::time::Duration;

use apalis::prelude::{BackendExt as _, Strategy, TaskSink as _, WorkerBuilder, WorkerBuilderExt as _};
use apalis_postgres::{Config, PostgresStorage, Pubsub};
use harness::{Payload, Producer, Scratch, System, Tally};
use sqlx_09::PgPool;
use sqlx_09::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const CONNECTIONS: u32 = 40;
/// The number of jobs in a fetch, instead of 10: the fastest setting for draining a queue.
const FETCHED: usize = 500;
const QUEUE: &str = "welcome";

fn main() -> anyhow::Result<()> {
    harness::program::run::<Apalis>()
}

struct Apalis {
    pool: PgPool,
    tally: Tally,
}

impl System for Apalis {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let url = scratch.database().await?.url();
        let pool = PgPoolOptions::new()
            .min_connections(CONNECTIONS)
            .max_connections(CONNECTIONS)
            .connect(&url)
            .await?;
        PostgresStorage::<()>::setup(&pool).await?;
        Ok(Self { pool, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(storage(&self.pool))
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let tally = self.tally;
        let strategy = Strategy::new()
            .stream(Pubsub::new(self.pool.clone(), QUEUE.to_owned()))
            .interval(Duration::from_millis(500));
        let storage = storage(&self.pool).poll_with_strategy(strategy);
        let job = move |payload: Payload| async move {
            tally.run(payload.user_id, &payload.template);
            tally.work().await;
        };
        let worker = WorkerBuilder::new(QUEUE).backend(storage).concurrency(workers).build(job);
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("the worker of apalis ended: {error}");
            }
        });
        Ok(running)
    }
}

struct Entrance(PostgresStorage<Payload>);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.push(payload).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        self.0.push_bulk(payloads).await?;
        Ok(())
    }
}

fn storage(pool: &PgPool) -> PostgresStorage<Payload> {
    PostgresStorage::new(pool).with_config(Config::default().queue(QUEUE).batch_size(FETCHED))
}
