//! This project's queue in an SQLite file, with all features: `synchronous=FULL`, leases, retries, finished jobs kept for a day.

use harness::{Scratch, System, Tally};
use queue_sqlite::SqliteQueue;
use queue_tokio::RunningHost;

use super::observed::Store;
use super::queue_tokio::{Entrance, host};

pub(crate) struct SqliteSystem {
    queue: SqliteQueue,
    tally: Tally,
}

impl System for SqliteSystem {
    type Producer = Entrance<SqliteQueue>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        Ok(Self { queue: SqliteQueue::open(scratch.file()?).await?, tally })
    }

    fn producer(&self) -> Entrance<SqliteQueue> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        host(self.queue.clone(), self.tally, workers).await
    }
}

impl Store for SqliteSystem {
    type Queue = SqliteQueue;

    fn queue(&self) -> SqliteQueue {
        self.queue.clone()
    }
}
