//! Bugs about jobs that are stored as they were in another store.

use async_trait::async_trait;
use queue_core::admin::Imported;
use queue_core::{Admin as _, JobId, JobRecord, NewJob, Queue as _, QueueError, Receipt};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Pushes what is to be imported.
#[derive(Default)]
pub(super) struct ImportsAsNew;

#[async_trait]
impl Bug for ImportsAsNew {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let new = |job: JobRecord| {
            let new = NewJob::new(job.name, job.body).id(job.id).queue(job.queue).at(job.run_at);
            match job.unique {
                Some(key) => new.unique(key),
                None => new,
            }
        };
        let receipts = queue.push(jobs.into_iter().map(new).collect()).await?;
        let imported = |receipt| match receipt {
            Receipt::Existing(holder) => Imported::KeyHeld(holder),
            _ => Imported::Stored,
        };
        Ok(receipts.into_iter().map(imported).collect())
    }
}

#[derive(Default)]
pub(super) struct ErrorsForgotten;

#[async_trait]
impl Bug for ErrorsForgotten {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let mut jobs = jobs;
        jobs.iter_mut().for_each(|job| job.errors.clear());
        queue.import(jobs).await
    }
}

/// Deletes a job whose id is known, and imports the new one.
#[derive(Default)]
pub(super) struct Overwrites;

#[async_trait]
impl Bug for Overwrites {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        for job in &jobs {
            drop(queue.delete(job.id).await);
        }
        queue.import(jobs).await
    }
}

/// Stores the jobs before one that is refused.
#[derive(Default)]
pub(super) struct JobByJob;

#[async_trait]
impl Bug for JobByJob {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let mut imported = Vec::new();
        for job in jobs {
            imported.extend(queue.import(vec![job]).await?);
        }
        Ok(imported)
    }
}

/// Imports jobs so that they hold no key.
#[derive(Default)]
pub(super) struct KeyForgotten;

#[async_trait]
impl Bug for KeyForgotten {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let mut jobs = jobs;
        jobs.iter_mut().for_each(|job| job.unique_until = None);
        queue.import(jobs).await
    }
}

/// Imports jobs as if each held its key.
#[derive(Default)]
pub(super) struct TakesEveryKey;

#[async_trait]
impl Bug for TakesEveryKey {
    async fn import(&self, queue: &ModelQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let mut jobs = jobs;
        jobs.iter_mut().for_each(|job| job.unique_until = job.unique_until.or(Some(job.pushed_at)));
        queue.import(jobs).await
    }
}

/// Shows each job as the holder of its key.
#[derive(Default)]
pub(super) struct EveryKeyHeld;

#[async_trait]
impl Bug for EveryKeyHeld {
    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let shown = |mut job: JobRecord| {
            job.unique_until = job.unique_until.or(job.unique.is_some().then_some(job.pushed_at));
            job
        };
        Ok(queue.get(id).await?.map(shown))
    }
}
