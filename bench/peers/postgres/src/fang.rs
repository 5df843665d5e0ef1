//! fang as its documentation shows it: an asynchronous queue, and a pool of workers.
//!
//! It takes one job a call. A worker that found no job polls again after 100 ms, instead of 5 s and more. A finished
//! job is deleted. All tasks share a pool of 80 connections.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use fang::asynk::async_queue::{AsyncQueue, AsyncQueueable};
use fang::asynk::async_runnable::AsyncRunnable;
use fang::asynk::async_worker_pool::AsyncWorkerPool;
use fang::{FangError, SleepParams};
use harness::{Payload, Producer, Scratch, System, Tally};
use serde::{Deserialize, Serialize};

const CONNECTIONS: u32 = 80;
const POLLS: Duration = Duration::from_millis(100);
/// Its tables; it creates them itself only through diesel.
const TABLES: &str = include_str!(concat!(
    env!("FANG"),
    "/postgres_migrations/migrations/2022-08-20-151615_create_fang_tasks/up.sql"
));

/// The tally for jobs, which have access only to the queue.
static TALLY: RwLock<Option<Tally>> = RwLock::new(None);

fn main() -> anyhow::Result<()> {
    harness::program::run::<Fang>()
}

struct Fang(AsyncQueue);

impl System for Fang {
    type Producer = Entrance;
    /// They run as long as the process.
    type Workers = AsyncWorkerPool<AsyncQueue>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let database = scratch.database().await?;
        let client = database.connect().await?;
        if client.query("select where to_regclass('fang_tasks') is null", &[]).await?.len() == 1 {
            client.batch_execute(TABLES).await?;
        }
        let mut queue = AsyncQueue::builder().uri(database.url()).max_pool_size(CONNECTIONS).build();
        queue.connect().await?;
        *TALLY.write().unwrap_or_else(PoisonError::into_inner) = Some(tally);
        Ok(Self(queue))
    }

    fn producer(&self) -> Entrance {
        Entrance(self.0.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<AsyncWorkerPool<AsyncQueue>> {
        let sleep = SleepParams {
            sleep_period: POLLS,
            max_sleep_period: POLLS,
            min_sleep_period: POLLS,
            sleep_step: Duration::ZERO,
        };
        let mut pool = AsyncWorkerPool::builder()
            .number_of_workers(u32::try_from(workers)?)
            .queue(self.0.clone())
            .sleep_params(sleep)
            .build();
        pool.start().await;
        Ok(pool)
    }
}

struct Entrance(AsyncQueue);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.insert_task(&Welcome(payload)).await?;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Welcome(Payload);

#[typetag::serde]
#[fang::async_trait]
impl AsyncRunnable for Welcome {
    async fn run(&self, _: &dyn AsyncQueueable) -> Result<(), FangError> {
        if let Some(tally) = *TALLY.read().unwrap_or_else(PoisonError::into_inner) {
            tally.run(self.0.user_id, &self.0.template);
        }
        Ok(())
    }
}
