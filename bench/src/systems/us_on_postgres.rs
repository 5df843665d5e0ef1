//! Our queue on a PostgreSQL server, with everything on: leases, retries, finished jobs kept for a day.

use harness::{Site, System, Tally};
use queue_postgres::PostgresQueue;
use queue_tokio::RunningHost;

use super::us::{Entrance, host};

pub(crate) struct UsOnPostgres {
    queue: PostgresQueue,
    tally: Tally,
}

impl System for UsOnPostgres {
    type Producer = Entrance<PostgresQueue>;
    type Workers = RunningHost;

    async fn open(site: &Site, tally: Tally) -> anyhow::Result<Self> {
        Ok(Self { queue: PostgresQueue::connect(site.database().await?.url()).await?, tally })
    }

    fn producer(&self) -> Entrance<PostgresQueue> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        host(self.queue.clone(), self.tally, workers).await
    }
}
