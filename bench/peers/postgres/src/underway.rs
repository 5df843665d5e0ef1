//! underway as its documentation shows it: a queue, and a worker that notifications wake.
//!
//! A custom task instead of a `Job`, because many of those can't be enqueued by one call (0.2.0). Each job runs in a
//! transaction of its own, on a connection of its own. Finished jobs are kept. All tasks share a pool of 80 connections.

use std::sync::Arc;

use harness::{Payload, Producer, Scratch, System, Tally};
use sqlx_08::postgres::PgPoolOptions;
use sqlx_08::{PgPool, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use underway::{Queue, Task, Worker, task};

const CONNECTIONS: u32 = 80;

fn main() -> anyhow::Result<()> {
    harness::program::run::<Underway>()
}

struct Underway {
    pool: PgPool,
    queue: Arc<Queue<Welcome>>,
    tally: Tally,
}

impl System for Underway {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let url = scratch.database().await?.url();
        let pool = PgPoolOptions::new()
            .min_connections(CONNECTIONS)
            .max_connections(CONNECTIONS)
            .connect(&url)
            .await?;
        // Its future is `Send`, but the compiler can't see that (rust-lang/rust#100013).
        let (runtime, migrated) = (Handle::current(), pool.clone());
        spawn_blocking(move || runtime.block_on(underway::run_migrations(&migrated))).await??;
        let queue = Queue::builder().name("welcome").pool(pool.clone()).build().await?;
        Ok(Self { pool, queue: Arc::new(queue), tally })
    }

    fn producer(&self) -> Entrance {
        Entrance { pool: self.pool.clone(), queue: self.queue.clone(), task: Welcome(self.tally) }
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let mut worker = Worker::new(self.queue.clone(), Welcome(self.tally));
        worker.set_concurrency_limit(workers);
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("the worker of underway ended: {error}");
            }
        });
        Ok(running)
    }
}

struct Entrance {
    pool: PgPool,
    queue: Arc<Queue<Welcome>>,
    task: Welcome,
}

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.queue.enqueue(&self.pool, &self.task, &payload).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        self.queue.enqueue_multi(&self.pool, &self.task, &payloads).await?;
        Ok(())
    }
}

#[derive(Clone)]
struct Welcome(Tally);

impl Task for Welcome {
    type Input = Payload;
    type Output = ();

    async fn execute(&self, _: Transaction<'_, Postgres>, payload: Payload) -> task::Result<()> {
        self.0.run(payload.user_id, &payload.template);
        Ok(())
    }
}
