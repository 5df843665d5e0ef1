//! A transaction on the application's own connection.

use async_trait::async_trait;
use queue_conformance::durable::{Operation, Transaction};
use queue_core::{NewJob, QueueError, Receipt};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Postgres, Transaction as SqlTransaction, postgres::PgPoolOptions};

use super::in_a_schema::InASchema;
use super::operations::statement;
use crate::fixture::{number, run};

pub(super) struct OnConnection {
    queue: PostgresQueue,
    schema: String,
    transaction: SqlTransaction<'static, Postgres>,
}

impl OnConnection {
    pub(super) async fn begin(store: &InASchema) -> Self {
        let queue = store.builder().connect().await.expect("a connection");
        let pool = PgPoolOptions::new().connect(&store.url).await.expect("a connection");
        let schema = store.schema.clone();
        Self { queue, schema, transaction: pool.begin().await.expect("a transaction") }
    }

    /// Begins a transaction that reads, and whose snapshot lasts until it ends.
    pub(super) async fn begin_reading(store: &InASchema) -> Self {
        let mut reading = Self::begin(store).await;
        let begin = "set transaction isolation level repeatable read";
        run(&mut reading.transaction, begin).await.expect("a transaction");
        let jobs =
            number(&mut reading.transaction, format!("select count(*) from {}.jobs", store.schema)).await;
        assert!(jobs.expect("a count") > 0, "the transaction has read nothing");
        reading
    }
}

#[async_trait]
impl Transaction for OnConnection {
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError> {
        self.queue.enqueue_in(&mut self.transaction, job).await
    }

    async fn operate(&mut self, operation: &Operation) -> Result<bool, QueueError> {
        if let Operation::Claim(_) = operation {
            // A claim is the queue's own transaction, which ends on the server even if the caller is dropped.
            return Ok(false);
        }
        let statement = statement(&self.schema, operation);
        let done = number(&mut self.transaction, statement).await.expect("a function of the schema");
        assert!(done > 0, "{operation:?} did nothing");
        Ok(true)
    }

    async fn commit(self: Box<Self>) {
        self.transaction.commit().await.expect("a commit");
    }

    async fn rollback(self: Box<Self>) {
        self.transaction.rollback().await.expect("a rollback");
    }
}
