//! The operators' calls, over their own connection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::Admin;
use queue_core::admin::{
    Cancellation, Change, Filter, Finding, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord,
    PageRequest, Prune, QueueCounts, QueueSummary, QueueUsage, UsageRequest, WorkerRecord,
};
use queue_core::backend::{PageQuery, to_i64};
use queue_core::{JobId, JobRecord, Limit, LimitScope, QueueError, QueueName, TestClock};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use tokio::time::{Instant, sleep};

use crate::bulk;
use crate::connection::Op;
use crate::diagnosis;
use crate::error::{is_notification_queue_full, is_untranslatable};
use crate::history::history;
use crate::import;
use crate::limits;
use crate::list;
use crate::notification::{Notification, NotifyArgs};
use crate::queue::PostgresQueue;
use crate::rows;
use crate::sql::Sql;
use crate::storable::storable_text;
use crate::summary::summaries;
use crate::tasks::prune::prune;
use crate::test_clock::PostgresTestClock;
use crate::workers::workers;

/// The word in the cursors of a schema.
const BACKEND: &str = "postgres";

/// How long a call that another transaction blocks pauses before the next try, and the longest time for all tries.
const LOCKED_RETRY: Duration = Duration::from_millis(50);
const MAX_WAIT: Duration = Duration::from_secs(1 << 30);

#[async_trait]
impl Admin for PostgresQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.run_on_admin_connection(move |connection, sql| {
            let get = sql.get.query().bind(id.as_uuid());
            Box::pin(async move {
                let row = get.fetch_optional(connection).await?;
                row.map(|row| rows::job_record(&row).map(|(_, record)| record)).transpose()
            })
        })
        .await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.wait_for_end(ids, wait).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let query = PageQuery::of(BACKEND, filter, page)?;
        list::list(self, filter, query).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.run_on_admin_connection(|connection, sql| {
            let counts = sql.counts.query();
            Box::pin(async move { counts_from_rows(&counts.fetch_all(connection).await?) })
        })
        .await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        let announcements = self.shared().announcements.clone();
        self.run_on_admin_connection(move |connection, sql| {
            let announcements = announcements.clone();
            let (summary, announced) = (sql.summary.query().bind(to_i64(cap)), sql.workers.query());
            Box::pin(async move {
                let mut summaries = summaries(&summary.fetch_all(&mut *connection).await?, cap)?;
                let workers = workers(connection, announced, &announcements).await?;
                summaries.iter_mut().for_each(|summary| summary.add_workers(&workers));
                Ok(summaries)
            })
        })
        .await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        let announcements = self.shared().announcements.clone();
        self.run_on_admin_connection(move |connection, sql| {
            let (announcements, announced) = (announcements.clone(), sql.workers.query());
            Box::pin(async move { workers(connection, announced, &announcements).await })
        })
        .await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        history(self, request).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let cancel = |ascii_only| {
            let reason = storable_text(reason, ascii_only);
            self.query_text(move |sql| sql.cancel.query().bind(id.as_uuid()).bind(reason.clone()))
        };
        let answer = match cancel(false).await {
            Err(error) if is_untranslatable(&error) => cancel(true).await?,
            answer => answer?,
        };
        match &*answer {
            "cancelled" => {
                self.shared().end_watches.wake([id]);
                Ok(Cancellation::Cancelled)
            }
            "requested" => Ok(Cancellation::Requested),
            "finished" => Ok(Cancellation::Finished),
            _ => Err(QueueError::unknown_job(id)),
        }
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        let retry = |notify: NotifyArgs| {
            self.query_text(move |sql: &Sql| notify.bind(sql.retry.query().bind(id.as_uuid())))
        };
        let answer = match retry(self.shared().notifier.jobs()).await {
            Err(error) if is_notification_queue_full(&error) => {
                self.shared().notifier.mute();
                retry(NotifyArgs::none()).await?
            }
            answer => answer?,
        };
        match &*answer {
            "done" => {
                self.shared().wake();
                Ok(())
            }
            "executing" => Err(QueueError::executing_job(id)),
            "unknown" => Err(QueueError::unknown_job(id)),
            holder => Err(QueueError::unique_key_taken(id, holder)),
        }
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        match &*self.query_text(move |sql| sql.delete_job.query().bind(id.as_uuid())).await? {
            "done" => {
                self.shared().end_watches.wake([id]);
                Ok(())
            }
            "executing" => Err(QueueError::executing_job(id)),
            _ => Err(QueueError::unknown_job(id)),
        }
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        bulk::matching(self, filter).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        bulk::change(self, ids, filter, change).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        import::import(self, jobs).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.set_paused(queue, true).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.set_paused(queue, false).await?;
        self.shared().wake();
        let notifier = self.shared().notifier.clone();
        let notified = async move { notifier.send(Notification::Jobs(notifier.sender_id())).await };
        if let Err(error) = self.thread().run(notified).await {
            // Other processes find the jobs when they next poll.
            tracing::debug!(database = %self.shared().target, ?error, "no notification was sent for a resumed queue");
        }
        Ok(())
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        limits::records(self, queue).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        limits::set(self, queue, scope, limit).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        limits::usage(self, request).await
    }

    async fn prune(&self, what: &Prune) -> Result<u64, QueueError> {
        let (shared, what) = (self.shared().clone(), what.clone());
        let work = async move { prune(&shared, &mut *shared.admin_connection.lock().await, &what).await };
        self.thread().run(work).await
    }

    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        diagnosis::diagnose(self).await
    }

    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        self.has_test_clock().then(|| Arc::new(PostgresTestClock(self.clone())) as _)
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl PostgresQueue {
    /// Runs a transaction that may be done twice over the operators' connection.
    pub(crate) async fn run_on_admin_connection<T, A>(&self, op: A) -> Result<T, QueueError>
    where
        T: Send + 'static,
        A: for<'c> Fn(&'c mut PgConnection, &Sql) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync + 'static,
    {
        self.try_on_admin_connection(true, op).await
    }

    /// Runs a transaction over the operators' connection, and repeats it while another transaction blocks it, within the
    /// queue's timeout. If the connection breaks during the call, it is repeated if `is_idempotent`.
    pub(crate) async fn try_on_admin_connection<T, A>(
        &self,
        is_idempotent: bool,
        op: A,
    ) -> Result<T, QueueError>
    where
        T: Send + 'static,
        A: for<'c> Fn(&'c mut PgConnection, &Sql) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync + 'static,
    {
        let shared = self.shared().clone();
        let work = async move {
            let deadline = Instant::now() + shared.target.timeout.min(MAX_WAIT);
            loop {
                let answer = {
                    let mut connection = shared.admin_connection.lock().await;
                    let op: Op<'_, T> = &|connection| op(connection, &shared.sql);
                    if is_idempotent {
                        connection.call_idempotent(op).await
                    } else {
                        connection.call(op).await
                    }
                };
                match answer {
                    // Other calls use the connection during the pause.
                    Err(failed) if failed.is_blocked && Instant::now() < deadline => {
                        sleep(LOCKED_RETRY).await;
                    }
                    answer => return answer.map_err(|failed| failed.error),
                }
            }
        };
        self.thread().run(work).await
    }

    /// Runs a query once, reports the jobs that it has found expired, and returns its answer.
    async fn query_text(
        &self,
        query: impl Fn(&Sql) -> Query<'static> + Send + Sync + 'static,
    ) -> Result<String, QueueError> {
        let asked = self.try_on_admin_connection(false, move |connection, sql| {
            let query = query(sql);
            Box::pin(async move {
                let row = query.fetch_one(connection).await?;
                Ok((row.try_get(0)?, row.try_get::<Option<Vec<String>>, _>(1)?))
            })
        });
        let (answer, discarded) = asked.await?;
        self.shared().report_expired(discarded.as_deref());
        Ok(answer)
    }

    async fn set_paused(&self, queue: &QueueName, paused: bool) -> Result<(), QueueError> {
        let queue = queue.as_str().to_owned();
        self.run_on_admin_connection(move |connection, sql| {
            let set = sql.set_paused.query().bind(queue.clone()).bind(paused);
            Box::pin(async move { set.execute(connection).await.map(drop) })
        })
        .await
    }
}

/// Reads the rows of `counts`: one for each queue and state, sorted by queue. A queue without jobs has one row without a
/// state.
fn counts_from_rows(rows: &[PgRow]) -> sqlx::Result<Vec<QueueCounts>> {
    let mut all: Vec<QueueCounts> = Vec::new();
    for row in rows {
        let queue = QueueName::from(row.try_get::<&str, _>(0)?);
        if all.last().is_none_or(|last| last.queue != queue) {
            all.push(QueueCounts::new(queue, row.try_get(1)?));
        }
        if let (Some(counts), Some(state)) = (all.last_mut(), row.try_get::<Option<i32>, _>(2)?) {
            let state = rows::state(state)?;
            counts.set(state, rows::read_u64(row, 3)?);
        }
    }
    Ok(all)
}
