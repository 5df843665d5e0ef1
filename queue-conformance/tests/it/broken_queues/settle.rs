//! Bugs in settlements.

use async_trait::async_trait;
use queue_core::{
    Admin as _, Body, Clock as _, Heartbeat, JobId, JobRecord, Lease, Queue as _, QueueError, Renewal,
    Settled, Settlement, State, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

type Ended = Result<Vec<Settled>, QueueError>;

/// Changes each transition, and then settles.
async fn settle_changed(
    queue: &ModelQueue,
    mut batch: Vec<Settlement>,
    change: impl Fn(&mut Transition),
) -> Ended {
    batch.iter_mut().for_each(|settlement| change(&mut settlement.transition));
    queue.settle(batch).await
}

#[derive(Default)]
pub(super) struct ReleaseGoesToTheEnd;

#[async_trait]
impl Bug for ReleaseGoesToTheEnd {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if *transition == Transition::Release {
                *transition = Transition::Snooze { at: queue.clock().now(), error: None };
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct CompleteCancels;

#[async_trait]
impl Bug for CompleteCancels {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if *transition == Transition::complete() {
                *transition = Transition::Cancel { reason: "done".to_owned() };
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct RetryForgets;

#[async_trait]
impl Bug for RetryForgets {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if let Transition::Retry { error, .. } = transition {
                error.truncate(5);
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct SnoozeCounts;

#[async_trait]
impl Bug for SnoozeCounts {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if let Transition::Snooze { at, .. } = *transition {
                *transition = Transition::Retry { at, error: "snoozed".to_owned() };
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct SnoozeForgets;

#[async_trait]
impl Bug for SnoozeForgets {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if let Transition::Snooze { error, .. } = transition {
                *error = None;
            }
        })
        .await
    }
}

/// Keeps the error of a snooze by turning the snooze into a retry.
#[derive(Default)]
pub(super) struct SnoozeWithErrorCounts;

#[async_trait]
impl Bug for SnoozeWithErrorCounts {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if let Transition::Snooze { at, error: Some(error) } = transition {
                *transition = Transition::Retry { at: *at, error: error.clone() };
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct ReleaseCounts;

#[async_trait]
impl Bug for ReleaseCounts {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if *transition == Transition::Release {
                *transition = Transition::Retry { at: queue.clock().now(), error: "released".to_owned() };
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct DiscardedPayloadGone;

#[async_trait]
impl Bug for DiscardedPayloadGone {
    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut job = queue.get(id).await?;
        if let Some(job) = job.as_mut().filter(|job| job.state == State::Discarded) {
            job.body = Body::stored("null");
        }
        Ok(job)
    }
}

#[derive(Default)]
pub(super) struct CancelForgets;

#[async_trait]
impl Bug for CancelForgets {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        settle_changed(queue, batch, |transition| {
            if let Transition::Cancel { reason } = transition {
                reason.clear();
            }
        })
        .await
    }
}

#[derive(Default)]
pub(super) struct AllOrNothing;

#[async_trait]
impl Bug for AllOrNothing {
    async fn settle(&self, queue: &ModelQueue, batch: Vec<Settlement>) -> Ended {
        let leases: Vec<Lease> = batch.iter().map(|settlement| settlement.lease.clone()).collect();
        if queue.renew(&Heartbeat::of(&leases)).await?.contains(&Renewal::Lost) {
            return Ok(vec![Settled::Stale; batch.len()]);
        }
        queue.settle(batch).await
    }
}

/// Pushes followups before it knows whether the transition applies.
#[derive(Default)]
pub(super) struct FollowupsFirst;

#[async_trait]
impl Bug for FollowupsFirst {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Ended {
        for settlement in &mut batch {
            queue.push(std::mem::take(&mut settlement.followups)).await?;
        }
        queue.settle(batch).await
    }
}

/// Ends all attempts of a batch before it stores their followups.
#[derive(Default)]
pub(super) struct FollowupsLast;

#[async_trait]
impl Bug for FollowupsLast {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Ended {
        if batch.len() == 1 {
            return queue.settle(batch).await;
        }
        let all: Vec<_> =
            batch.iter_mut().map(|settlement| std::mem::take(&mut settlement.followups)).collect();
        let settled = queue.settle(batch).await?;
        for (followups, _) in
            all.into_iter().zip(&settled).filter(|(_, settled)| **settled == Settled::Applied)
        {
            queue.push(followups).await?;
        }
        Ok(settled)
    }
}

#[derive(Default)]
pub(super) struct FollowupsOfCompletedOnly;

#[async_trait]
impl Bug for FollowupsOfCompletedOnly {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Ended {
        for settlement in
            batch.iter_mut().filter(|settlement| settlement.transition != Transition::complete())
        {
            settlement.followups.clear();
        }
        queue.settle(batch).await
    }
}

#[derive(Default)]
pub(super) struct NewestErrorsFirst;

#[async_trait]
impl Bug for NewestErrorsFirst {
    async fn get(&self, queue: &ModelQueue, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        let mut job = queue.get(id).await?;
        if let Some(job) = &mut job {
            job.errors.reverse();
        }
        Ok(job)
    }
}
