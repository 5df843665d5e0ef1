//! apalis on SQLite, as its documentation shows it for low latency: `connect_with_callback`, whose update hook wakes the
//! worker, and a poll every 500 ms.
//!
//! `SqliteStorage::setup` turns `synchronous` off, but only on the connection that it gets (1.0.0). Here all connections
//! have its settings, which is faster and keeps them from failing while another writes. So no job is on the disk when a
//! call returns, unlike with the other systems. All jobs run within the worker's one task, its default. It keeps finished jobs.

use std::time::Duration;

use apalis::prelude::{BackendExt as _, Strategy, TaskSink as _, WorkerBuilder, WorkerBuilderExt as _};
use apalis_sqlite::callback::HookCallbackListener;
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqliteStorage};
use futures_util::StreamExt as _;
use harness::{Payload, Producer, Scratch, System, Tally};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use tokio::task::JoinSet;

/// The number of jobs in a fetch: with the default of 10 it drains a queue at two thirds of the speed.
const FETCHED: usize = 500;

fn main() -> anyhow::Result<()> {
    harness::program::run::<Apalis>()
}

struct Apalis {
    pool: SqlitePool,
    listener: HookCallbackListener,
    tally: Tally,
}

impl System for Apalis {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let file = scratch.file()?;
        let (pool, listener) = SqliteStorage::connect_with_callback(&format!("sqlite://{}", file.display()))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", "64000")
            .busy_timeout(Duration::from_secs(20));
        pool.set_connect_options(options);
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool, listener, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(SqliteStorage::new(&self.pool).with_config(config()))
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let tally = self.tally;
        let strategy = Strategy::new()
            .stream(self.listener.clone().ready_chunks(FETCHED))
            .interval(Duration::from_millis(500));
        let storage = self.producer().0.poll_with_strategy(strategy);
        let job = move |payload: Payload| async move { tally.run(payload.user_id, &payload.template) };
        let worker = WorkerBuilder::new("welcome").backend(storage).concurrency(workers).build(job);
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("the worker of apalis ended: {error}");
            }
        });
        Ok(running)
    }
}

struct Entrance(SqliteStorage<Payload>);

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

fn config() -> Config {
    Config::default().queue("welcome").batch_size(FETCHED)
}
