//! A transaction on a connection of the application's own.

use async_trait::async_trait;
use queue_core::{NewJob, QueueError, Receipt};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Postgres, Transaction as SqlTransaction, postgres::PgPoolOptions};
use queue_testkit::durable::Transaction;

use super::in_a_schema::InASchema;

pub(super) struct OnConnection {
    queue: PostgresQueue,
    transaction: SqlTransaction<'static, Postgres>,
}

impl OnConnection {
    pub(super) async fn begin(store: &InASchema) -> Self {
        let queue = store.builder().connect().await.expect("a connection");
        let pool = PgPoolOptions::new().connect(&store.url).await.expect("a connection");
        Self { queue, transaction: pool.begin().await.expect("a transaction") }
    }
}

#[async_trait]
impl Transaction for OnConnection {
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError> {
        self.queue.enqueue_in(&mut self.transaction, job).await
    }

    async fn commit(self: Box<Self>) {
        self.transaction.commit().await.expect("a commit");
    }

    async fn rollback(self: Box<Self>) {
        self.transaction.rollback().await.expect("a rollback");
    }
}
