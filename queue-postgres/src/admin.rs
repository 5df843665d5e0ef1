//! The operators' calls, over their own connection.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::Admin;
use queue_core::admin::{Cancellation, Cursor, Filter, JobPage, PageRequest, Prune, QueueCounts};
use queue_core::{JobId, JobRecord, QueueError, QueueName, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use tokio::time::{Instant, sleep};

use crate::error::{is_notification_refused, is_untranslatable};
use crate::link::Ask;
use crate::pruning::prune;
use crate::queue::PostgresQueue;
use crate::rows;
use crate::server::Notice;
use crate::settlements::kept;
use crate::sql::Sql;

/// How long a call that another transaction blocks pauses before the next try, and the longest time for all tries.
const LOCKED_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1 << 30);

#[async_trait]
impl Admin for PostgresQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.at_the_desk(move |connection, sql| {
            let get = sql.get.query().bind(id.as_uuid());
            Box::pin(async move {
                let row = get.fetch_optional(connection).await?;
                row.map(|row| rows::record(&row).map(|(_, record)| record)).transpose()
            })
        })
        .await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let (filter, limit) = (filter.clone(), page.limit);
        let after = page.after.as_ref().map_or(Ok(0), Cursor::position)?;
        self.at_the_desk(move |connection, sql| {
            let states = filter.states.iter().fold(0_i32, |states, state| states | 1 << *state as i32);
            // One more row shows whether there is a next page.
            let rows = rows::count(limit as u64).saturating_add(1);
            let list = sql
                .list
                .query()
                .bind(rows::count(after))
                .bind(filter.queue.as_ref().map(|queue| queue.as_str().to_owned()))
                .bind(filter.name.as_ref().map(|name| name.as_str().to_owned()))
                .bind(filter.pushed_before.map(Timestamp::as_micros))
                .bind(states)
                .bind(rows);
            Box::pin(async move { listing(&list.fetch_all(connection).await?, limit) })
        })
        .await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.at_the_desk(|connection, sql| {
            let counts = sql.counts.query();
            Box::pin(async move { read_counts(&counts.fetch_all(connection).await?) })
        })
        .await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let cancel = |escapes| {
            let reason = kept(reason, escapes);
            self.asked_of(move |sql| sql.cancel.query().bind(id.as_uuid()).bind(reason.clone()))
        };
        let answer = match cancel(false).await {
            Err(error) if is_untranslatable(&error) => cancel(true).await?,
            answer => answer?,
        };
        match &*answer {
            "cancelled" => Ok(Cancellation::Cancelled),
            "requested" => Ok(Cancellation::Requested),
            "finished" => Ok(Cancellation::Finished),
            _ => Err(QueueError::unknown_job(id)),
        }
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        let retry = |notice: Notice| {
            self.asked_of(move |sql: &Sql| {
                sql.retry.query().bind(id.as_uuid()).bind(notice.0.clone()).bind(notice.1.clone())
            })
        };
        let notice = (Some(self.server().place.channel()), Some(self.server().word().to_owned()));
        let answer = match retry(notice).await {
            Err(error) if is_notification_refused(&error) => {
                self.server().note_refused();
                retry((None, None)).await?
            }
            answer => answer?,
        };
        match &*answer {
            "done" => {
                self.server().wake();
                Ok(())
            }
            "executing" => Err(QueueError::executing_job(id)),
            "unknown" => Err(QueueError::unknown_job(id)),
            holder => Err(QueueError::unique_key_taken(id, holder)),
        }
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        match &*self.asked_of(move |sql| sql.delete_job.query().bind(id.as_uuid())).await? {
            "done" => Ok(()),
            "executing" => Err(QueueError::executing_job(id)),
            _ => Err(QueueError::unknown_job(id)),
        }
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.set_paused(queue, true).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.set_paused(queue, false).await?;
        self.server().wake();
        let server = self.server().clone();
        let notified = async move { server.notify(server.word()).await };
        if let Err(error) = self.io().run(notified).await {
            // Other processes find the jobs when they next poll.
            tracing::debug!(place = %self.server().place, ?error, "no notification was sent for a resumed queue");
        }
        Ok(())
    }

    async fn prune(&self, what: &Prune) -> Result<u64, QueueError> {
        let (server, what) = (self.server().clone(), what.clone());
        let work = async move { prune(&server, &mut *server.desk.lock().await, &what).await };
        self.io().run(work).await
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl PostgresQueue {
    /// Runs a transaction that may be done twice over the operators' connection.
    pub(crate) async fn at_the_desk<T, A>(&self, ask: A) -> Result<T, QueueError>
    where
        T: Send + 'static,
        A: for<'c> Fn(&'c mut PgConnection, &Sql) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync + 'static,
    {
        self.call_at_the_desk(true, ask).await
    }

    /// Runs a transaction over the operators' connection, and repeats it while another transaction blocks it, within the
    /// queue's timeout. If the connection breaks during the call, it is repeated if `is_repeatable`.
    async fn call_at_the_desk<T, A>(&self, is_repeatable: bool, ask: A) -> Result<T, QueueError>
    where
        T: Send + 'static,
        A: for<'c> Fn(&'c mut PgConnection, &Sql) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync + 'static,
    {
        let server = self.server().clone();
        let work = async move {
            let until = Instant::now() + server.place.timeout.min(LONGEST_WAIT);
            loop {
                let answer = {
                    let mut desk = server.desk.lock().await;
                    let ask: Ask<'_, T> = &|connection| ask(connection, &server.sql);
                    if is_repeatable { desk.call_again(ask).await } else { desk.try_call(ask).await }
                };
                match answer {
                    // Other calls use the connection during the pause.
                    Err(unanswered) if unanswered.is_blocked && Instant::now() < until => {
                        sleep(LOCKED_PAUSE).await;
                    }
                    answer => return answer.map_err(|unanswered| unanswered.error),
                }
            }
        };
        self.io().run(work).await
    }

    /// Runs a query once and returns its only value.
    async fn asked_of(
        &self,
        question: impl Fn(&Sql) -> Query<'static> + Send + Sync + 'static,
    ) -> Result<String, QueueError> {
        self.call_at_the_desk(false, move |connection, sql| {
            let question = question(sql);
            Box::pin(async move { question.fetch_one(connection).await?.try_get(0) })
        })
        .await
    }

    async fn set_paused(&self, queue: &QueueName, paused: bool) -> Result<(), QueueError> {
        let queue = queue.as_str().to_owned();
        self.at_the_desk(move |connection, sql| {
            let set = sql.set_paused.query().bind(queue.clone()).bind(paused);
            Box::pin(async move { set.execute(connection).await.map(drop) })
        })
        .await
    }
}

fn listing(rows: &[PgRow], limit: usize) -> sqlx::Result<JobPage> {
    Ok(JobPage::of(rows.iter().map(rows::record).collect::<sqlx::Result<_>>()?, limit))
}

/// Reads the rows of `counts`: one for each queue and state, sorted by queue. A queue without jobs has one row without a
/// state.
fn read_counts(rows: &[PgRow]) -> sqlx::Result<Vec<QueueCounts>> {
    let mut all: Vec<QueueCounts> = Vec::new();
    for row in rows {
        let queue = QueueName::from(row.try_get::<&str, _>(0)?);
        if all.last().is_none_or(|last| last.queue != queue) {
            all.push(QueueCounts::new(queue, row.try_get(1)?));
        }
        if let (Some(counts), Some(state)) = (all.last_mut(), row.try_get::<Option<i32>, _>(2)?) {
            let state = rows::state(state)?;
            counts.set(state, rows::number(row, 3)?);
        }
    }
    Ok(all)
}
