//! Prunes finished jobs past their retention in the background, in batches, and rolls up the history.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_core::QueueError;
use queue_core::admin::Prune;
use queue_core::backend::{PruneSchedule, RetentionPeriods, to_i64};
use sqlx::Row as _;

use crate::columns::micros;
use crate::connection::ReconnectingConnection;
use crate::shared::Shared;

/// The average pause after a batch that was not full. Any number of processes may prune.
const INTERVAL: Duration = Duration::from_secs(10);

/// The maximum number of jobs in one batch: enough to keep up with the pushes, and few enough to delay no other call.
const BATCH: usize = 2_000;

/// The task that deletes finished jobs and rolls up the history.
pub(crate) struct PruneTask {
    shared: Arc<Shared>,
    periods: RetentionPeriods,
}

impl PruneTask {
    pub(crate) fn new(shared: Arc<Shared>, periods: RetentionPeriods) -> Self {
        Self { shared, periods }
    }

    /// Prunes until the runtime ends. If all finished jobs are kept forever, each call only rolls up the history.
    pub(crate) async fn run(self) {
        let Self { shared, periods } = self;
        let mut connection = shared.connection();
        let Some(mut schedule) = PruneSchedule::new(periods, BATCH) else {
            loop {
                tokio::time::sleep(interval()).await;
                if let Err(error) = prune(&shared, &mut connection, &Prune::nothing()).await {
                    tracing::debug!(database = %shared.target, ?error, "the history was not rolled up, retrying later");
                }
            }
        };
        loop {
            match prune(&shared, &mut connection, schedule.batch()).await {
                Ok(pruned) => schedule.note_pruned(pruned, Instant::now()),
                Err(error) => {
                    tracing::debug!(database = %shared.target, ?error, "finished jobs were not pruned, retrying later");
                    schedule.postpone(Instant::now());
                }
            }
            if let Some(due) = schedule.next(interval()) {
                tokio::time::sleep_until(due.into()).await;
            }
        }
    }
}

/// Returns a random interval, so that processes do not prune in step.
fn interval() -> Duration {
    INTERVAL.mul_f64(0.5 + fastrand::f64())
}

/// Removes a batch and returns the number of removed jobs.
pub(crate) async fn prune(
    shared: &Shared,
    connection: &mut ReconnectingConnection,
    what: &Prune,
) -> Result<u64, QueueError> {
    let ages = [what.completed, what.discarded, what.cancelled].map(|age| age.map(micros));
    let limit = to_i64(what.limit as u64);
    let (pruned, discarded) = connection
        .call(&move |connection| {
            let [completed, discarded, cancelled] = ages;
            let prune = shared.sql.prune.query().bind(completed).bind(discarded).bind(cancelled).bind(limit);
            Box::pin(async move {
                let row = prune.fetch_one(connection).await?;
                Ok((crate::rows::read_u64(&row, 0)?, row.try_get::<Option<Vec<String>>, _>(1)?))
            })
        })
        .await
        .map_err(QueueError::from)?;
    shared.report_expired(discarded.as_deref());
    Ok(pruned)
}
