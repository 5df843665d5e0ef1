//! Tests of pushes that do not lock the table of an in-memory queue: its inbox.
//!
//! The first job that is enqueued goes into the table, and places for more are reserved. The next ones go into the inbox.

use std::time::Duration;

use futures_util::FutureExt as _;
use queue_core::admin::{Cancellation, Filter, PageRequest};
use queue_core::{
    Admin as _, Demand, JobId, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Settlement, State,
    Transition, background_job,
};
use queue_testkit::VirtualClock;
use queue_tokio::MemoryQueue;

use crate::world::TestResult;

#[background_job]
async fn job() {}

/// Creates a queue with two jobs, of which the second is in the inbox.
async fn queue_with_inbox() -> Result<(MemoryQueue, [JobId; 2]), queue_core::QueueError> {
    let queue = MemoryQueue::new();
    let ids = [queue.enqueue(job::new()).await?.id(), queue.enqueue(job::new()).await?.id()];
    Ok((queue, ids))
}

/// Q11: jobs come out in push order, whichever way they went in, also if the clock stands still.
#[tokio::test]
async fn jobs_of_the_inbox_keep_the_push_order() -> TestResult {
    let queue = MemoryQueue::builder().clock(VirtualClock::new()).build();
    let mut pushed = Vec::new();
    for batch in 0..4 {
        for _ in 0..3 {
            pushed.push(queue.enqueue(job::new()).await?.id());
        }
        let receipts = queue.push((0..2).map(|_| job::new().into()).collect()).await?;
        pushed.extend(receipts.iter().map(|receipt| receipt.id()));
        if batch % 2 == 0 {
            pushed.push(queue.try_enqueue(job::new())?.id());
        }
    }

    let listed = queue.list(&Filter::all(), &PageRequest::first(100)).await?;
    let claimed = queue.claim(&Demand::new("default", 100)).await?;

    assert_eq!(listed.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), pushed);
    assert_eq!(claimed.iter().map(|job| job.id()).collect::<Vec<_>>(), pushed);
    Ok(())
}

/// Q120: partitions are served in the order in which they came to have ready jobs, also if one of the jobs is in the inbox.
#[tokio::test]
async fn a_job_of_the_inbox_takes_its_turn_after_a_job_that_was_due_before() -> TestResult {
    let clock = VirtualClock::new();
    let queue = MemoryQueue::builder().clock(clock.clone()).build();
    let due = queue.enqueue(job::new()).partition("a").delay(Duration::from_millis(10)).await?.id();
    queue.enqueue(job::new()).partition("c").await?;
    let first = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    queue.settle(vec![Settlement::new(first.lease, Transition::complete())]).await?;
    clock.advance(Duration::from_millis(20));
    let in_inbox = queue.enqueue(job::new()).partition("b").await?.id();

    let claimed = queue.claim(&Demand::new("default", 2)).await?;

    assert_eq!(claimed.iter().map(|job| job.id()).collect::<Vec<_>>(), [due, in_inbox]);
    Ok(())
}

/// Pushes one or two jobs in one of four ways. Returns the number of stored jobs.
fn try_push(queue: &MemoryQueue, random: &mut fastrand::Rng) -> usize {
    match random.u8(0..4) {
        // A push that waits is dropped.
        0 => queue
            .enqueue(job::new())
            .into_future()
            .now_or_never()
            .map_or(0, |receipt| usize::from(receipt.is_ok())),
        1 => queue
            .push(vec![job::new().into()])
            .now_or_never()
            .map_or(0, |receipts| receipts.map_or(0, |receipts| receipts.len())),
        2 => usize::from(queue.try_enqueue(job::new()).is_ok()),
        _ => queue.try_push(vec![job::new().into(), job::new().into()]).map_or(0, |receipts| receipts.len()),
    }
}

async fn unfinished(queue: &MemoryQueue) -> usize {
    let counts = queue.counts().await.unwrap();
    counts.iter().map(|counts| counts.unfinished() as usize).sum()
}

/// Completes `count` jobs. Each has `followups` followups.
async fn complete(queue: &MemoryQueue, count: usize, followups: usize) -> TestResult {
    if count == 0 {
        return Ok(());
    }
    let deliveries = queue.claim(&Demand::new("default", count)).await?;
    assert_eq!(deliveries.len(), count);
    let settlement = |delivery: queue_core::Delivery| {
        let mut settlement = Settlement::new(delivery.lease, Transition::complete());
        settlement.followups = (0..followups).map(|_| NewJob::from(job::new())).collect();
        settlement
    };
    queue.settle(deliveries.into_iter().map(settlement).collect()).await?;
    Ok(())
}

/// Q52, Q53: as many jobs are stored as the bound allows, no more and no fewer, whichever way they are pushed.
#[tokio::test]
async fn the_bound_counts_reserved_places_neither_twice_nor_never() -> TestResult {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bound = [1, 2, 3, 7, 64, 65, 66, 130][seed as usize % 8];
        let queue = MemoryQueue::bounded(bound);
        let mut stored = 0;
        while stored < bound as usize {
            let before = stored;
            for _ in 0..20 {
                stored += try_push(&queue, &mut random);
            }
            assert!(stored > before, "seed {seed}: {stored} of {bound} are stored, and no push succeeds");
        }
        assert_eq!((stored, unfinished(&queue).await), (bound as usize, bound as usize), "seed {seed}");

        complete(&queue, 1, 0).await?;

        let more: usize = (0..20).map(|_| try_push(&queue, &mut random)).sum();
        assert_eq!(more, 1, "seed {seed}: one job has ended");
    }
    Ok(())
}

/// Q53: a push that does not wait gets the capacity of reserved places.
#[tokio::test]
async fn a_push_that_does_not_wait_gets_the_capacity_of_reserved_places() -> TestResult {
    let queue = MemoryQueue::bounded(3);
    queue.enqueue(job::new()).await?;

    queue.try_push(vec![job::new().into(), job::new().into()])?;

    assert_eq!(queue.try_enqueue(job::new()).unwrap_err().kind(), QueueErrorKind::Full);
    Ok(())
}

/// Q57: followups take the capacity of reserved places. While they exceed the bound, no push succeeds.
#[tokio::test]
async fn followups_take_the_capacity_of_reserved_places() -> TestResult {
    for followups in 1..9 {
        let mut random = fastrand::Rng::with_seed(followups as u64);
        let queue = MemoryQueue::bounded(4);
        queue.enqueue(job::new()).await?;

        complete(&queue, 1, followups).await?;

        let stored: usize = (0..40).map(|_| try_push(&queue, &mut random)).sum();
        assert_eq!(stored, 4_usize.saturating_sub(followups));
        complete(&queue, followups.max(4) - 4, 0).await?;
        let stored: usize = (0..40).map(|_| try_push(&queue, &mut random)).sum();
        assert_eq!(stored, 0, "the queue is full");
        complete(&queue, 2, 0).await?;
        let stored: usize = (0..40).map(|_| try_push(&queue, &mut random)).sum();
        assert_eq!((stored, unfinished(&queue).await), (2, 4));
    }
    Ok(())
}

/// Q52: a batch that waits gets the capacity of reserved places.
#[tokio::test]
async fn a_waiting_batch_gets_the_capacity_of_reserved_places() -> TestResult {
    let queue = MemoryQueue::bounded(3);
    queue.enqueue(job::new()).await?;
    let mut batch = std::pin::pin!(queue.push((0..3).map(|_| job::new().into()).collect()));
    assert!(futures_util::poll!(batch.as_mut()).is_pending());

    assert_eq!(queue.try_enqueue(job::new()).unwrap_err().kind(), QueueErrorKind::Full);
    assert!(queue.enqueue(job::new()).into_future().now_or_never().is_none(), "it waits behind the batch");
    complete(&queue, 1, 0).await?;

    assert_eq!(batch.await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn an_operator_sees_a_job_of_the_inbox() -> TestResult {
    let (queue, ids) = queue_with_inbox().await?;
    assert_eq!(queue.get(ids[1]).await?.map(|job| job.state), Some(State::Available));

    let (queue, ids) = queue_with_inbox().await?;
    let listed = queue.list(&Filter::all(), &PageRequest::first(9)).await?;
    assert_eq!(listed.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids);

    let (queue, _) = queue_with_inbox().await?;
    assert_eq!(queue.counts().await?[0].of(State::Available), 2);
    Ok(())
}

#[tokio::test]
async fn a_job_of_the_inbox_is_cancelled() -> TestResult {
    let (queue, ids) = queue_with_inbox().await?;

    assert_eq!(queue.cancel(ids[1], "not needed").await?, Cancellation::Cancelled);

    let claimed = queue.claim(&Demand::new("default", 9)).await?;
    assert_eq!(claimed.iter().map(|job| job.id()).collect::<Vec<_>>(), ids[..1]);
    Ok(())
}

#[tokio::test]
async fn a_queue_with_a_job_in_its_inbox_is_not_idle() -> TestResult {
    let queue = MemoryQueue::new();
    queue.enqueue(job::new()).await?;
    complete(&queue, 1, 0).await?;
    queue.enqueue(job::new()).await?;
    let mut idle = std::pin::pin!(queue.idle());

    assert!(futures_util::poll!(idle.as_mut()).is_pending());

    complete(&queue, 1, 0).await?;
    idle.await;
    Ok(())
}

/// Q22: a closed queue keeps the jobs of its inbox, and takes no more.
#[tokio::test]
async fn a_closed_queue_takes_no_job_into_its_inbox() -> TestResult {
    let (queue, ids) = queue_with_inbox().await?;

    queue.close();

    let error = queue.enqueue(job::new()).await.unwrap_err();
    assert_eq!(error.kind(), QueueErrorKind::Closed);
    assert!(queue.get(ids[1]).await?.is_some());
    assert_eq!(unfinished(&queue).await, 2);
    Ok(())
}

/// Q20: a job of the inbox wakes a claimer that waits.
#[tokio::test]
async fn a_job_of_the_inbox_wakes_a_claimer() -> TestResult {
    let queue = MemoryQueue::new();
    queue.enqueue(job::new()).await?;
    complete(&queue, 1, 0).await?;
    let demand = Demand::new("default", 1);
    let mut claim = std::pin::pin!(queue.claim(&demand));
    assert!(futures_util::poll!(claim.as_mut()).is_pending());

    let id = queue.enqueue(job::new()).await?.id();

    assert_eq!(claim.await?[0].id(), id);
    Ok(())
}
