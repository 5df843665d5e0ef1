//! A transaction on a connection of the application.

use std::path::Path;

use async_trait::async_trait;
use queue_conformance::durable::{Delays, Transaction};
use queue_core::{NewJob, QueueError, Receipt};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;

pub(crate) struct OnConnection {
    queue: SqliteQueue,
    connection: Connection,
}

impl OnConnection {
    pub(crate) async fn begin(path: &Path) -> Self {
        let queue = SqliteQueue::open(path).await.expect("the same file again");
        let connection = Connection::open(path).expect("the same file again");
        connection.execute_batch("begin immediate").expect("a transaction");
        Self { queue, connection }
    }

    /// Begins a transaction that has read, so that it keeps its snapshot while it is open.
    pub(crate) async fn begin_reading(path: &Path) -> Self {
        let queue = SqliteQueue::open(path).await.expect("the same file again");
        let connection = Connection::open(path).expect("the same file again");
        connection.execute_batch("begin deferred").expect("a transaction");
        let jobs = connection.query_row("select count(*) from queue_jobs", [], |row| row.get::<_, i64>(0));
        assert!(jobs.expect("a count") > 0, "the transaction read no job");
        Self { queue, connection }
    }
}

#[async_trait]
impl Transaction for OnConnection {
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError> {
        self.queue.enqueue_in(&self.connection, job)
    }

    fn delays(&self) -> Delays {
        // A file has one writer at a time.
        Delays::Writers
    }

    async fn commit(self: Box<Self>) {
        self.connection.execute_batch("commit").expect("a commit");
    }

    async fn rollback(self: Box<Self>) {
        self.connection.execute_batch("rollback").expect("a rollback");
    }
}
