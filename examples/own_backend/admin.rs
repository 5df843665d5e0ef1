//! The operator's calls: look-ups, pages, counts, cancel, retry, delete, pause and prune.

use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{
    Cancellation, Change, Filter, JobPage, PageRequest, Prune, QueueCounts, QueueSummary,
};
use queue_core::backend::{PageQuery, Place};
use queue_core::{Admin, JobId, JobRecord, Limits, QueueError, QueueName, State};

use crate::list::{JobList, StoredJob};
use crate::queue::ListQueue;

impl JobList {
    fn known(&mut self, id: JobId) -> Result<&mut StoredJob, QueueError> {
        self.find(id).ok_or_else(|| QueueError::unknown_job(id))
    }

    fn known_unless_executing(&mut self, id: JobId) -> Result<&mut StoredJob, QueueError> {
        match self.known(id) {
            Ok(job) if job.record.state == State::Executing => {
                Err(QueueError::conflict(format!("job {id} is executing")))
            }
            known => known,
        }
    }

    fn cancel(&mut self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let now = self.now;
        let job = self.known(id)?;
        if job.record.state.is_finished() {
            return Ok(Cancellation::Finished);
        }
        job.record.cancel_reason = Some(Limits::cut(reason.to_owned()));
        if job.record.state == State::Executing {
            return Ok(Cancellation::Requested);
        }
        job.finish(State::Cancelled, now);
        Ok(Cancellation::Cancelled)
    }

    fn retry(&mut self, id: JobId) -> Result<(), QueueError> {
        let now = self.now;
        if self.known_unless_executing(id)?.record.state.is_finished() {
            self.take_key_back(id)?;
        }
        let job = self.known(id)?;
        job.record.max_attempts = job.record.max_attempts.max(job.record.attempt + 1);
        job.record.cancel_reason = None;
        job.record.result = None;
        job.schedule(now, State::Scheduled, now);
        Ok(())
    }

    fn delete(&mut self, id: JobId) -> Result<(), QueueError> {
        self.known_unless_executing(id)?;
        self.jobs.retain(|job| job.record.id != id);
        Ok(())
    }

    fn counts(&self) -> Vec<QueueCounts> {
        let mut counts: Vec<QueueCounts> =
            self.paused.iter().map(|queue| QueueCounts::new(queue.clone(), true)).collect();
        for record in self.jobs.iter().map(|job| &job.record) {
            let index = counts.iter().position(|counts| counts.queue == record.queue);
            let index = index.unwrap_or_else(|| {
                counts.push(QueueCounts::new(record.queue.clone(), false));
                counts.len() - 1
            });
            let count = counts[index].of(record.state);
            counts[index].set(record.state, count + 1);
        }
        counts.sort_by(|a, b| a.queue.cmp(&b.queue));
        counts
    }

    fn summary(&self, cap: u64) -> Vec<QueueSummary> {
        let mut all: Vec<QueueSummary> =
            self.paused.iter().map(|queue| QueueSummary::new(queue.clone(), true, self.now)).collect();
        for record in self.jobs.iter().map(|job| &job.record) {
            let index = all.iter().position(|summary| summary.queue == record.queue);
            let index = index.unwrap_or_else(|| {
                all.push(QueueSummary::new(record.queue.clone(), false, self.now));
                all.len() - 1
            });
            all[index].add(record.state, record.run_at, cap);
        }
        all.sort_by(|a, b| a.queue.cmp(&b.queue));
        all
    }

    fn page(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let query = PageQuery::of("example", filter, page)?;
        let is_listed = |record: &JobRecord| query.sort.lists(record.state) && filter.matches(record);
        let found = self.jobs.iter().filter(|job| {
            let place = Place { at: query.sort.time(&job.record), number: job.position };
            is_listed(&job.record) && query.is_behind(place)
        });
        Ok(query.page(found.map(|job| (job.position, job.shown(self.now))).collect()))
    }

    fn matching(&self, filter: &Filter) -> Vec<JobId> {
        let matched = self.jobs.iter().filter(|job| filter.matches(&job.record));
        matched.map(|job| job.record.id).collect()
    }

    fn change(&mut self, ids: &[JobId], filter: &Filter, change: &Change) -> u64 {
        let change_one = |id: &&JobId| {
            if !self.find(**id).is_some_and(|job| filter.matches(&job.record)) {
                return false;
            }
            match change {
                Change::Cancel { reason } => {
                    self.cancel(**id, reason).is_ok_and(|answer| answer != Cancellation::Finished)
                }
                Change::Retry => self.retry(**id).is_ok(),
                Change::Delete => self.delete(**id).is_ok(),
                _ => false,
            }
        };
        ids.iter().filter(change_one).count() as u64
    }

    fn prune(&mut self, prune: &Prune) -> u64 {
        let now = self.now;
        let mut old: Vec<_> = self
            .jobs
            .iter()
            .filter_map(|job| {
                let (finished, age) = (job.record.finished_at?, prune.age(job.record.state)?);
                (finished.saturating_add(age) <= now).then_some((finished, job.position))
            })
            .collect();
        old.sort_unstable();
        old.truncate(prune.limit);
        self.jobs.retain(|job| !old.iter().any(|(_, position)| *position == job.position));
        old.len() as u64
    }
}

#[async_trait]
impl Admin for ListQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        Ok(self.read(|list| {
            let now = list.now;
            list.find(id).map(|job| job.shown(now))
        }))
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        Ok(self.wait_for_end(ids, wait).await)
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.read(|list| list.page(filter, page))
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        Ok(self.read(|list| list.counts()))
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        Ok(self.read(|list| list.summary(cap)))
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.change(|list| list.cancel(id, reason))
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|list| list.retry(id))
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|list| list.delete(id))
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.read(|list| Ok(list.matching(filter)))
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.change(|list| Ok(list.change(ids, filter, change)))
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.resume(queue).await?;
        self.change(|list| list.paused.push(queue.clone()));
        Ok(())
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.change(|list| list.paused.retain(|paused| paused != queue));
        Ok(())
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        Ok(self.change(|list| list.prune(prune)))
    }
}
