//! Vacuums the tables that a busy queue fills and empties.
//!
//! Autovacuum comes once a minute at best, and scans `jobs` first. By then, a queue that runs 70,000 jobs per second has left
//! millions of dead rows in `ready` and `leases`. They no longer fit into memory, and their removal keeps a core busy for many
//! seconds. A vacuum after each 100,000 jobs takes about 0.1 s, and the tables stay small.
//!
//! The task waits for [`DeadRows`](crate::dead_rows::DeadRows), vacuums over a connection that it closes again, and pauses for
//! much longer than the vacuum took. So a vacuum runs for at most a twentieth of the time, even beside an open transaction
//! that keeps vacuum from removing rows.

use std::sync::Arc;
use std::time::Duration;

use queue_core::QueueError;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};
use tokio::time::{Instant, sleep, timeout};

use crate::connect::connect;
use crate::error::to_queue_error;
use crate::shared::Shared;

/// The pause after a vacuum, as a multiple of the time that it took, and the shortest pause.
const PAUSE_FACTOR: u32 = 20;
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// How long the task waits for a vacuum. The server may complete it later.
const LIMIT: Duration = Duration::from_secs(300);

/// The task that vacuums.
pub(crate) struct VacuumTask {
    shared: Arc<Shared>,
}

impl VacuumTask {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Vacuums until the runtime ends, or until the server says that the user may not.
    pub(crate) async fn run(self) {
        let target = &self.shared.target;
        loop {
            self.shared.dead_rows.many().await;
            let connection = match connect(target).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!(database = %target, ?error, "no connection to vacuum over, trying again later");
                    continue;
                }
            };
            // A connection that takes long must not delay the next vacuum.
            let start = Instant::now();
            match timeout(LIMIT, self.vacuum(connection)).await {
                Ok(Ok(true)) => tracing::trace!(database = %target, took = ?start.elapsed(), "vacuumed"),
                Ok(Ok(false)) => {
                    tracing::info!(database = %target, "the user does not own the tables, so only autovacuum vacuums them");
                    return;
                }
                Ok(Err(error)) => {
                    tracing::debug!(database = %target, ?error, "the tables were not vacuumed, trying again later");
                }
                Err(_) => {
                    tracing::debug!(database = %target, "the vacuum takes long, no longer waiting for it");
                }
            }
            sleep((start.elapsed() * PAUSE_FACTOR).max(MIN_PAUSE)).await;
        }
    }

    /// Vacuums once, and closes the connection. Returns `false` if the user has no right to vacuum.
    async fn vacuum(&self, mut connection: PgConnection) -> Result<bool, QueueError> {
        let is_done = self.vacuum_over(&mut connection).await;
        let is_done = is_done.map_err(|error| to_queue_error(error, &self.shared.target))?;
        // The server has answered, so nothing depends on how the connection ends.
        drop(connection.close().await);
        Ok(is_done)
    }

    async fn vacuum_over(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let schema = self.shared.target.quoted_schema();
        // A user who may not vacuum would get a warning for each table, each time.
        let owns = format!(
            "select pg_has_role(relowner, 'usage') from pg_class where oid = '{}.ready'::regclass",
            schema.replace('\'', "''")
        );
        if !raw_sql(AssertSqlSafe(owns)).fetch_one(&mut *connection).await?.try_get::<bool, _>(0)? {
            return Ok(false);
        }
        // A table that autovacuum or another process vacuums is skipped.
        let vacuum = format!(
            "vacuum (skip_locked) {schema}.ready, {schema}.waiting, {schema}.leases, {schema}.history_parts, \
            {schema}.partition_changes, {schema}.partitions, {schema}.shares"
        );
        raw_sql(AssertSqlSafe(vacuum)).execute(connection).await?;
        Ok(true)
    }
}
