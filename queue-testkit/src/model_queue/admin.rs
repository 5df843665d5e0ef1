//! The operator's calls of the testkit's queue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{
    Cancellation, Change, Filter, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord, PageRequest,
    Prune, QueueCounts, QueueSummary, QueueUsage, UsageRequest, WorkerRecord,
};
use queue_core::backend::has_ended;
use queue_core::{Admin, Clock, JobId, JobRecord, Limit, LimitScope, QueueError, QueueName, TestClock};

use super::{ModelQueue, Polled};

#[async_trait]
impl Admin for ModelQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        Ok(self.read(|state, now| state.table.get(now, id)))
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        let until = Clock::now(self.clock()).saturating_add(wait);
        let answer = self.wait_for(|state, now| {
            let jobs: Vec<_> = ids.iter().map(|id| state.table.get(now, *id)).collect();
            if until <= now || has_ended(&jobs) {
                return Polled::Answer(jobs);
            }
            Polled::Wait(state.table.next_due().into_iter().chain([until]).min())
        });
        Ok(answer.await)
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.read(|state, now| state.table.list(now, filter, page))
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        Ok(self.read(|state, now| state.table.counts(now)))
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        Ok(self.read(|state, now| state.table.summary(now, cap)))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        Ok(self.read(|state, now| state.table.workers(now)))
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        Ok(self.read(|state, now| state.table.history(now, request)))
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.change(|state, now| state.table.cancel(now, id, reason))
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|state, now| state.table.retry(now, id))
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|state, now| state.table.delete(now, id))
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        Ok(self.read(|state, now| state.table.matching(now, filter)))
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        Ok(self.change(|state, now| state.table.change(now, ids, filter, change)))
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.change(|state, now| state.table.import(now, jobs))
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.change(|state, _| state.table.pause(queue));
        Ok(())
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.change(|state, _| state.table.resume(queue));
        Ok(())
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        Ok(self.read(|state, _| state.table.limits(queue)))
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        self.change(|state, now| state.table.set_limit(now, queue, scope, limit))
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        Ok(self.read(|state, now| state.table.usage(now, request)))
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        Ok(self.change(|state, now| state.table.prune(now, prune)))
    }

    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        self.clock().test_clock()
    }
}
