//! The operations of operators. The reader thread runs those that only read, and the writer thread the others.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::Admin;
use queue_core::admin::{
    Cancellation, Change, Filter, Finding, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord,
    PageRequest, Prune, QueueCounts, QueueSummary, QueueUsage, UsageRequest, WorkerRecord,
};
use queue_core::backend::{PageQuery, check_limit, has_ended};
use queue_core::{
    JobId, JobRecord, Limit, LimitScope, Limits, QueueError, QueueName, State, TestClock, Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params};

use crate::diagnosis;
use crate::history::history;
use crate::limits::limits;
use crate::list;
use crate::queue::SqliteQueue;
use crate::rows;
use crate::sql;
use crate::summary::summaries;
use crate::usage::usage;
use crate::workers::workers;

/// The word in the cursors of a file.
const BACKEND: &str = "sqlite";

#[async_trait]
impl Admin for SqliteQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let now = self.clock().now();
        self.reader().call(move |connection| get(connection, id, now)).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        let until = self.clock().now().saturating_add(wait);
        loop {
            let (ids, asked, now) = (ids.to_vec(), ids.to_vec(), self.clock().now());
            let get = move |connection: &Connection| ids.iter().map(|id| get(connection, *id, now)).collect();
            let jobs: Vec<_> = self.reader().call(get).await?;
            if until <= now || has_ended(&jobs) {
                return Ok(jobs);
            }
            self.reader().wait_for_end(asked, until).await?;
        }
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let query = PageQuery::of(BACKEND, filter, page)?;
        let (filter, now) = (filter.clone(), self.clock().now());
        self.reader().call(move |connection| list::page(connection, &filter, query, now)).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        let now = self.clock().now();
        self.reader().call(move |connection| counts(connection, now)).await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        let now = self.clock().now();
        let announcements = self.announcements();
        self.reader().call(move |connection| summaries(connection, &announcements, now, cap)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        let now = self.clock().now();
        let announcements = self.announcements();
        self.reader().call(move |connection| workers(connection, &announcements, now)).await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        let (request, now) = (request.clone(), self.clock().now());
        self.reader().call(move |connection| history(connection, &request, now)).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let reason = Limits::cut(reason.to_owned());
        self.writer().call(1, move |table| table.cancel(id, &reason)).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.writer().call(1, move |table| table.retry(id)).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.writer().call(1, move |table| table.delete(id)).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        let (filter, now) = (filter.clone(), self.clock().now());
        self.reader().call(move |connection| list::matching(connection, &filter, now)).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        let (ids, filter, mut change) = (ids.to_vec(), filter.clone(), change.clone());
        if let Change::Cancel { reason } = &mut change {
            *reason = Limits::cut(std::mem::take(reason));
        }
        self.writer().call(ids.len(), move |table| table.change(&ids, &filter, &change)).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let jobs = self.intake().imports(jobs)?;
        self.writer().call(jobs.len(), move |table| Ok(table.import(&jobs)?)).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        let queue = queue.clone();
        self.writer().call(1, move |table| Ok(table.pause(&queue, true)?)).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        let queue = queue.clone();
        self.writer().call(1, move |table| Ok(table.pause(&queue, false)?)).await
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        let queue = queue.clone();
        self.reader().call(move |connection| limits(connection, &queue)).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        check_limit(scope, &limit.unwrap_or_default())?;
        let (queue, scope) = (queue.clone(), scope.clone());
        self.writer().call(1, move |table| Ok(table.set_limit(&queue, &scope, limit)?)).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        let (request, now) = (request.clone(), self.clock().now());
        self.reader().call(move |connection| usage(connection, &request, now)).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        let prune = prune.clone();
        self.writer().call(prune.limit, move |table| Ok(table.prune(&prune)?)).await
    }

    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        diagnosis::diagnose(self).await
    }

    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        self.clock().test_clock()
    }
}

fn get(connection: &Connection, id: JobId, now: Timestamp) -> Result<Option<JobRecord>> {
    let mut get = connection.prepare_cached(sql::GET)?;
    let found = get.query_row([rows::id_bytes(id)], |row| rows::job_record(connection, row)).optional()?;
    found.map(|found| rows::with_errors(connection, found, now)).transpose()
}

fn counts(connection: &Connection, now: Timestamp) -> Result<Vec<QueueCounts>> {
    let mut queues = connection.prepare_cached(sql::QUEUES)?;
    let queue = |row: &Row<'_>| {
        let name: String = row.get(1)?;
        Ok((row.get::<_, i64>(0)?, QueueCounts::new(name.into(), row.get(2)?)))
    };
    let mut queues = queues.query_map([], queue)?.collect::<Result<Vec<_>>>()?;
    let mut counts = connection.prepare_cached(sql::COUNTS)?;
    let mut rows = counts.query(named_params! { ":now": now.as_micros() })?;
    while let Some(row) = rows.next()? {
        let (queue_id, state, count): (i64, State, u64) =
            (row.get(0)?, rows::state(row, 1)?, rows::read_u64(row, 2)?);
        if let Some((_, counts)) = queues.iter_mut().find(|(id, _)| *id == queue_id) {
            counts.set(state, count);
        }
    }
    Ok(queues.into_iter().map(|(_, counts)| counts).collect())
}
