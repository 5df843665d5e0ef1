//! A clock that a test moves, in the table of `clock_table.rs`.

use async_trait::async_trait;
use queue_core::{QueueError, TestClock, Timestamp};
use sqlx::AssertSqlSafe;

use crate::queue::PostgresQueue;

/// The clock of a queue that was opened with [`test_clock`](crate::PostgresQueueBuilder::test_clock).
pub(crate) struct PostgresTestClock(pub(crate) PostgresQueue);

#[async_trait]
impl TestClock for PostgresTestClock {
    async fn now(&self) -> Result<Timestamp, QueueError> {
        self.query(|schema| format!("select now from {schema}.test_clock where $1 = 0"), 0).await
    }

    async fn advance_to(&self, to: Timestamp) -> Result<(), QueueError> {
        let update =
            |schema| format!("update {schema}.test_clock set now = greatest(now, $1::bigint) returning now");
        self.query(update, to.as_micros()).await?;
        // Jobs may have become due for claims that wait.
        self.0.shared().wake();
        Ok(())
    }
}

impl PostgresTestClock {
    async fn query(&self, sql: impl FnOnce(String) -> String, bound: i64) -> Result<Timestamp, QueueError> {
        let target = &self.0.shared().target;
        let (sql, is_persistent) = (sql(target.quoted_schema()), !target.behind_pooler);
        let now = self.0.run_on_admin_connection(move |connection, _| {
            let query = sqlx::query_scalar(AssertSqlSafe(sql.clone())).bind(bound).persistent(is_persistent);
            Box::pin(query.fetch_one(connection))
        });
        now.await.map(Timestamp::from_micros)
    }
}
