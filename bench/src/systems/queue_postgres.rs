//! This project's queue on a PostgreSQL server, with all features: leases, retries, finished jobs kept for a day.

use harness::{Scratch, System, Tally};
use queue_postgres::PostgresQueue;
use queue_tokio::RunningHost;

use super::observed::Store;
use super::queue_tokio::{Entrance, host};

pub(crate) struct PostgresSystem {
    queue: PostgresQueue,
    tally: Tally,
}

impl System for PostgresSystem {
    type Producer = Entrance<PostgresQueue>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        Ok(Self { queue: PostgresQueue::connect(scratch.database().await?.url()).await?, tally })
    }

    fn producer(&self) -> Entrance<PostgresQueue> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        host(self.queue.clone(), self.tally, workers).await
    }
}

impl Store for PostgresSystem {
    type Queue = PostgresQueue;

    fn queue(&self) -> PostgresQueue {
        self.queue.clone()
    }
}
