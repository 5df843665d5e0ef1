//! Bugs in unique keys and in capacity.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin as _, JobId, NewJob, OnConflict, Queue as _, QueueError, QueueErrorKind, Receipt, Settled,
    Settlement,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

type Pushed = Result<Vec<Receipt>, QueueError>;

#[derive(Default)]
pub(super) struct KeysWithinAQueue;

#[async_trait]
impl Bug for KeysWithinAQueue {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Pushed {
        for job in &mut jobs {
            if let Some(unique) = &mut job.unique {
                unique.key = format!("{} in {}", unique.key, job.queue);
            }
        }
        queue.push(jobs).await
    }
}

/// Checks whether a key is free, and then pushes as if that could not have changed.
#[derive(Default)]
pub(super) struct KeysLookedUpBefore;

#[async_trait]
impl Bug for KeysLookedUpBefore {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Pushed {
        let there = queue.list(&Filter::all().unfinished(), &PageRequest::first(10_000)).await?.jobs;
        for unique in jobs.iter_mut().filter_map(|job| job.unique.take()) {
            if let Some(holder) = there.iter().find(|job| job.unique.as_ref() == Some(&unique.key)) {
                return Ok(vec![Receipt::Existing(holder.id); jobs.len()]);
            }
        }
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct KeysHeldForEver(Mutex<HashMap<String, JobId>>);

#[async_trait]
impl Bug for KeysHeldForEver {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let keys: Vec<_> =
            jobs.iter().map(|job| job.unique.as_ref().map(|unique| unique.key.clone())).collect();
        let held = |key: &Option<String>| {
            self.0.lock().expect("the lock is not poisoned").get(key.as_ref()?).copied()
        };
        if let Some(id) = keys.iter().find_map(held) {
            return Ok(vec![Receipt::Existing(id); jobs.len()]);
        }
        let receipts = queue.push(jobs).await?;
        let known = keys.into_iter().zip(&receipts).filter_map(|(key, receipt)| Some((key?, receipt.id())));
        self.0.lock().expect("the lock is not poisoned").extend(known);
        Ok(receipts)
    }
}

#[derive(Default)]
pub(super) struct ReplaceKeeps;

#[async_trait]
impl Bug for ReplaceKeeps {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Pushed {
        for unique in jobs.iter_mut().filter_map(|job| job.unique.as_mut()) {
            unique.on_conflict = OnConflict::Keep;
        }
        queue.push(jobs).await
    }
}

#[derive(Default)]
pub(super) struct TooLargeWaits;

#[async_trait]
impl Bug for TooLargeWaits {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        match queue.push(jobs).await {
            Err(error) if error.kind() == QueueErrorKind::Invalid => std::future::pending().await,
            answer => answer,
        }
    }
}

#[derive(Default)]
pub(super) struct TryPushWaits;

#[async_trait]
impl Bug for TryPushWaits {
    async fn try_push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        queue.push(jobs).await
    }
}

/// Keeps waiting for capacity after its caller is gone.
#[derive(Default)]
pub(super) struct PushOutlivesItsCaller;

#[async_trait]
impl Bug for PushOutlivesItsCaller {
    async fn push(&self, queue: &ModelQueue, jobs: Vec<NewJob>) -> Pushed {
        let queue = queue.clone();
        tokio::spawn(async move { queue.push(jobs).await }).await.expect("the queue does not panic")
    }
}

#[derive(Default)]
pub(super) struct FollowupsWait;

#[async_trait]
impl Bug for FollowupsWait {
    async fn settle(
        &self,
        queue: &ModelQueue,
        mut batch: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        let followups: Vec<_> =
            batch.iter_mut().flat_map(|settlement| std::mem::take(&mut settlement.followups)).collect();
        let settled = queue.settle(batch).await?;
        for followup in followups {
            queue.push(vec![followup]).await?;
        }
        Ok(settled)
    }
}

/// Stores followups as if their parent still held its key.
#[derive(Default)]
pub(super) struct FollowupsMeetTheKey;

#[async_trait]
impl Bug for FollowupsMeetTheKey {
    async fn settle(
        &self,
        queue: &ModelQueue,
        mut batch: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        for settlement in &mut batch {
            let parent = queue.get(settlement.lease.job).await?.and_then(|parent| parent.unique);
            let key = |job: &NewJob| job.unique.as_ref().map(|unique| unique.key.clone());
            settlement.followups.retain(|followup| parent.is_none() || key(followup) != parent);
        }
        queue.settle(batch).await
    }
}

#[derive(Default)]
pub(super) struct FollowupsWithoutKeys;

#[async_trait]
impl Bug for FollowupsWithoutKeys {
    async fn settle(
        &self,
        queue: &ModelQueue,
        mut batch: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        let followups = batch.iter_mut().flat_map(|settlement| &mut settlement.followups);
        followups.for_each(|followup| followup.unique = None);
        queue.settle(batch).await
    }
}
