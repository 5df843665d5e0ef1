//! Bugs in pushes.

use async_trait::async_trait;
use queue_core::{Admin as _, Body, Clock as _, Limits, NewJob, Queue as _, QueueError, Receipt, Schedule};
use queue_testkit::ModelQueue;
use std::time::Duration;

use super::broken::Bug;

type Pushed = Result<Vec<Receipt>, QueueError>;

/// Changes each job, and then pushes the jobs.
async fn push_changed(queue: &ModelQueue, mut jobs: Vec<NewJob>, change: impl Fn(&mut NewJob)) -> Pushed {
    jobs.iter_mut().for_each(change);
    queue.push(jobs).await
}

#[derive(Default)]
pub(super) struct ReceiptsInReverse;

#[async_trait]
impl Bug for ReceiptsInReverse {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let mut receipts = queue.push(jobs).await?;
        receipts.reverse();
        Ok(receipts)
    }
}

#[derive(Default)]
pub(super) struct JobByJob;

#[async_trait]
impl Bug for JobByJob {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let mut receipts = Vec::new();
        for job in jobs {
            receipts.extend(queue.push(vec![job]).await?);
        }
        Ok(receipts)
    }
}

#[derive(Default)]
pub(super) struct LastPushStands;

#[async_trait]
impl Bug for LastPushStands {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        for id in jobs.iter().filter_map(|job| job.id) {
            // A job that is not stored, or is executing, stays as it is.
            queue.delete(id).await.ok();
        }
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct NothingIsInvalid;

#[async_trait]
impl Bug for NothingIsInvalid {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        if jobs.is_empty() {
            return Err(QueueError::invalid("the batch is empty"));
        }
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct CutInTwo;

#[async_trait]
impl Bug for CutInTwo {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Pushed {
        Limits::default().check(&jobs)?;
        let second = jobs.split_off(jobs.len() / 2);
        let mut receipts = queue.push(jobs).await?;
        tokio::task::yield_now().await;
        receipts.extend(queue.push(second).await?);
        Ok(receipts)
    }
}

#[derive(Default)]
pub(super) struct PayloadsRewritten;

#[async_trait]
impl Bug for PayloadsRewritten {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        push_changed(queue, jobs, |job| {
            if let Ok(value) = job.body.decode::<serde_json::Value>() {
                job.body = Body::stored(value.to_string());
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct ClosuresSwallowed;

#[async_trait]
impl Bug for ClosuresSwallowed {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        push_changed(queue, jobs, |job| {
            if job.body.is_closure() {
                job.body = Body::stored("null");
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct BatchBackwards;

#[async_trait]
impl Bug for BatchBackwards {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Pushed {
        jobs.reverse();
        let mut receipts = queue.push(jobs).await?;
        receipts.reverse();
        Ok(receipts)
    }
}

#[derive(Default)]
pub(super) struct SmallPriorities;

#[async_trait]
impl Bug for SmallPriorities {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        push_changed(queue, jobs, |job| job.priority = job.priority.clamp(i16::MIN.into(), i16::MAX.into()))
            .await
    }
}

#[derive(Default)]
pub(super) struct DelaysCutShort;

#[async_trait]
impl Bug for DelaysCutShort {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        push_changed(queue, jobs, |job| {
            if let Schedule::After(delay) = &mut job.schedule {
                *delay = delay.saturating_sub(Duration::from_micros(1));
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct PastRefused;

#[async_trait]
impl Bug for PastRefused {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let now = queue.clock().now();
        if jobs.iter().any(|job| matches!(job.schedule, Schedule::At(at) if at < now)) {
            return Err(QueueError::invalid("`at` is past"));
        }
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct ArithmeticPanics;

#[async_trait]
impl Bug for ArithmeticPanics {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let now = queue.clock().now();
        for job in &jobs {
            if let Schedule::After(delay) = job.schedule {
                now.checked_add(delay).expect("overflow when adding duration to instant");
            }
        }
        queue.push(jobs).await
    }
}
