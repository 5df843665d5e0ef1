//! Bugs in operators' calls.

use async_trait::async_trait;
use queue_core::admin::{Cursor, Filter, JobPage, PageRequest, Prune, QueueCounts};
use queue_core::{
    Admin as _, Heartbeat, JobId, JobRecord, Queue as _, QueueError, QueueErrorKind, QueueName, Renewal,
    State,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

#[derive(Default)]
pub(super) struct CancelUntold;

#[async_trait]
impl Bug for CancelUntold {
    async fn renew(&self, queue: &ModelQueue, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let mut renewals = queue.renew(heartbeats).await?;
        for renewal in &mut renewals {
            if let Renewal::Held { cancel, .. } = renewal {
                *cancel = None;
            }
        }
        Ok(renewals)
    }
}

fn without_conflict(answer: Result<(), QueueError>) -> Result<(), QueueError> {
    answer.or_else(|error| if error.kind() == QueueErrorKind::Conflict { Ok(()) } else { Err(error) })
}

#[derive(Default)]
pub(super) struct RetriesAnything;

#[async_trait]
impl Bug for RetriesAnything {
    async fn retry(&self, queue: &ModelQueue, id: JobId) -> Result<(), QueueError> {
        without_conflict(queue.retry(id).await)
    }
}

#[derive(Default)]
pub(super) struct DeletesAnything;

#[async_trait]
impl Bug for DeletesAnything {
    async fn delete(&self, queue: &ModelQueue, id: JobId) -> Result<(), QueueError> {
        without_conflict(queue.delete(id).await)
    }
}

#[derive(Default)]
pub(super) struct NeverPauses;

#[async_trait]
impl Bug for NeverPauses {
    async fn pause(&self, _queue: &ModelQueue, _name: &QueueName) -> Result<(), QueueError> {
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct CountsExecutingAsAvailable;

#[async_trait]
impl Bug for CountsExecutingAsAvailable {
    async fn counts(&self, queue: &ModelQueue) -> Result<Vec<QueueCounts>, QueueError> {
        let mut counts = queue.counts().await?;
        for counts in &mut counts {
            counts.set(State::Available, counts.of(State::Available) + counts.of(State::Executing));
            counts.set(State::Executing, 0);
        }
        Ok(counts)
    }
}

#[derive(Default)]
pub(super) struct UnknownIsAnError;

#[async_trait]
impl Bug for UnknownIsAnError {
    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let job = queue.get(id).await?;
        job.map(Some).ok_or_else(|| QueueError::invalid("no such job"))
    }
}

/// Skips as many jobs as were listed, although some of those may be deleted.
#[derive(Default)]
pub(super) struct PagesByOffset;

#[async_trait]
impl Bug for PagesByOffset {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let skipped = page.after.as_ref().map_or(Ok(0), |cursor| cursor.as_str().parse::<u64>());
        let skipped = skipped.map_err(|_| QueueError::invalid("not an offset"))?;
        let all = queue.list(filter, &PageRequest::first(10_000)).await?.jobs;
        let jobs: Vec<_> =
            all.into_iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).take(page.limit).collect();
        let next = (jobs.len() == page.limit).then(|| Cursor::new((skipped + page.limit as u64).to_string()));
        Ok(JobPage::new(jobs, next))
    }
}

#[derive(Default)]
pub(super) struct PrunesEverything;

#[async_trait]
impl Bug for PrunesEverything {
    async fn prune(&self, queue: &ModelQueue, prune: &Prune) -> Result<u64, QueueError> {
        let mut prune = prune.clone();
        prune.limit = usize::MAX;
        queue.prune(&prune).await
    }
}
