//! Waits for the end of jobs, by polling. A poll is due at once if this handle may have ended one of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{PollPauses, has_ended};
use queue_core::{JobId, JobRecord, QueueError, Timestamp};
use sqlx::Row as _;
use uuid::Uuid;

use crate::queue::PostgresQueue;
use crate::rows;

/// The pause between two polls: the first one, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(250);

impl PostgresQueue {
    /// Waits until one of these jobs has ended or is gone, or `wait` is over by the server's clock, and returns the jobs.
    ///
    /// A poll reads the states only. The jobs themselves are read once there is an answer.
    pub(crate) async fn wait_for_end(
        &self,
        ids: &[JobId],
        wait: Duration,
    ) -> Result<Vec<Option<JobRecord>>, QueueError> {
        // Registered before the first poll, so that no end is missed.
        let watch = self.shared().end_watches.register(ids);
        let ids: Arc<[Uuid]> = ids.iter().map(|id| id.as_uuid()).collect();
        let (mut until, mut pauses) = (None, PollPauses::new(FIRST_PAUSE, MAX_PAUSE));
        loop {
            let (now, is_any) = self.any_ended(ids.clone()).await?;
            let until = *until.get_or_insert(now.saturating_add(wait));
            if is_any || until <= now || ids.is_empty() {
                let jobs = self.jobs(ids.clone()).await?;
                // An operator may have retried the job since the poll.
                if until <= now || has_ended(&jobs) {
                    return Ok(jobs);
                }
            }
            let paused = watch.pause(pauses.next_pause().min(until.since(now)));
            let paused = async {
                paused.await;
                Ok(())
            };
            self.thread().run(paused).await?;
        }
    }

    async fn any_ended(&self, ids: Arc<[Uuid]>) -> Result<(Timestamp, bool), QueueError> {
        self.run_on_admin_connection(move |connection, sql| {
            let poll = sql.any_ended.query().bind(ids.to_vec());
            Box::pin(async move {
                let row = poll.fetch_one(connection).await?;
                Ok((rows::timestamp(&row, 0)?, row.try_get(1)?))
            })
        })
        .await
    }

    async fn jobs(&self, ids: Arc<[Uuid]>) -> Result<Vec<Option<JobRecord>>, QueueError> {
        let asked = ids.clone();
        let found = self.run_on_admin_connection(move |connection, sql| {
            let get = sql.get_all.query().bind(asked.to_vec());
            Box::pin(async move {
                let rows = get.fetch_all(connection).await?;
                rows.iter()
                    .map(|row| rows::job_record(row).map(|(_, job)| job))
                    .collect::<sqlx::Result<Vec<_>>>()
            })
        });
        let found: HashMap<_, _> = found.await?.into_iter().map(|job| (job.id.as_uuid(), job)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }
}
