//! Bugs in the history.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Filter, HistoryRequest, HistoryRow, PageRequest};
use queue_core::backend::{Tally, minute_of};
use queue_core::{Admin as _, Clock as _, QueueError, State};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Counts the completed jobs that are there, not those that completed.
#[derive(Default)]
pub(super) struct CountsKeptJobs;

#[async_trait]
impl Bug for CountsKeptJobs {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let mut rows = queue.history(request).await?;
        let completed = Filter::all().state(State::Completed);
        let kept = queue.list(&completed, &PageRequest::first(1000)).await?.jobs;
        for row in &mut rows {
            let is_of_row = |job: &&queue_core::JobRecord| {
                job.finished_at.map(minute_of) == Some(row.from)
                    && (&job.queue, &job.name) == (&row.queue, &row.name)
            };
            row.completed = kept.iter().filter(is_of_row).count() as u64;
        }
        Ok(rows)
    }
}

/// Counts a discarded job, and not its last attempt.
#[derive(Default)]
pub(super) struct DiscardsDoNotFail;

#[async_trait]
impl Bug for DiscardsDoNotFail {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let mut rows = queue.history(request).await?;
        rows.iter_mut().for_each(|row| row.failed -= row.discarded);
        Ok(rows)
    }
}

/// Begins the first step at `since`.
#[derive(Default)]
pub(super) struct StepsBeginAtSince;

#[async_trait]
impl Bug for StepsBeginAtSince {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let minutes = queue.history(&request.clone().step(Duration::from_secs(60))).await?;
        let mut rows: Vec<HistoryRow> = Vec::new();
        let (since, step) = (minute_of(request.since), request.step.max(Duration::from_secs(60)).as_micros());
        for mut row in minutes {
            let number = u32::try_from(row.from.since(since).as_micros() / step).unwrap_or(u32::MAX);
            row.from = since.saturating_add(request.step * number);
            match rows
                .iter_mut()
                .find(|sum| (sum.from, &sum.queue, &sum.name) == (row.from, &row.queue, &row.name))
            {
                Some(sum) => {
                    sum.completed += row.completed;
                    sum.failed += row.failed;
                    sum.discarded += row.discarded;
                    sum.run_time += row.run_time;
                }
                None => rows.push(row),
            }
        }
        rows.sort_by(|a, b| (a.from, &a.queue, &a.name).cmp(&(b.from, &b.queue, &b.name)));
        Ok(rows)
    }
}

/// Returns a row for each minute in which another kind of job has one.
#[derive(Default)]
pub(super) struct EmptyRows;

#[async_trait]
impl Bug for EmptyRows {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let mut rows = queue.history(request).await?;
        if let Some(row) = rows.first() {
            rows.insert(0, HistoryRow::new(row.from, "a".into(), "a".into(), Tally::default()));
        }
        Ok(rows)
    }
}

/// Keeps each row that it has ever returned.
#[derive(Default)]
pub(super) struct KeepsForEver(Mutex<Vec<HistoryRow>>);

#[async_trait]
impl Bug for KeepsForEver {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let rows = queue.history(request).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|old| !rows.iter().any(|row| row.from == old.from));
        kept.extend(rows);
        Ok(kept.clone())
    }
}

/// Forgets a minute 24 hours after its beginning.
#[derive(Default)]
pub(super) struct ForgetsEarly;

#[async_trait]
impl Bug for ForgetsEarly {
    async fn history(
        &self,
        queue: &ModelQueue,
        request: &HistoryRequest,
    ) -> Result<Vec<HistoryRow>, QueueError> {
        let mut rows = queue.history(request).await?;
        let now = queue.clock().now();
        rows.retain(|row| now.since(row.from) < HistoryRequest::KEPT);
        Ok(rows)
    }
}
