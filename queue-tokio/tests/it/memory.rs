//! Tests the promises of the in-memory queue beyond the contract.

use std::time::Duration;

use queue_core::admin::HistoryRequest;
use queue_core::{
    Admin as _, Body, Demand, Limits, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Settlement,
    Timestamp, Transition, background_job,
};
use queue_tokio::MemoryQueue;

use crate::world::TestResult;

#[background_job]
async fn job() {}

#[tokio::test(start_paused = true)]
async fn try_enqueue_answers_full_at_once() -> TestResult {
    let queue = MemoryQueue::bounded(1);
    queue.try_enqueue(job::new())?;

    let error = queue.try_enqueue(job::new()).unwrap_err();

    assert_eq!(error.kind(), QueueErrorKind::Full);
    assert_eq!(error.to_string(), "the queue is full: 1 of 1 jobs are unfinished");
    Ok(())
}

/// Q12: a delayed job wakes the claimer by the clock, without any other call.
#[tokio::test(start_paused = true)]
async fn a_delayed_job_wakes_its_claimer_by_the_clock() -> TestResult {
    let queue = MemoryQueue::new();
    queue.enqueue(job::new()).delay(Duration::from_secs(90)).await?;
    let began = tokio::time::Instant::now();

    let deliveries = queue.claim(&Demand::new("default", 1)).await?;

    assert_eq!(deliveries.len(), 1);
    assert_eq!(began.elapsed().as_secs(), 90);
    Ok(())
}

#[tokio::test]
async fn a_demand_without_a_queue_is_refused_rather_than_waited_for() {
    let error = MemoryQueue::new().claim(&Demand::of([], 1)).await.unwrap_err();

    assert_eq!(error.kind(), QueueErrorKind::Invalid);
}

#[tokio::test]
async fn a_job_needs_nothing_but_a_name_and_a_body() -> TestResult {
    let queue = MemoryQueue::unbounded();
    let jobs = (0..3).map(|_| NewJob::from(job::new())).collect();

    let receipts = queue.push(jobs).await?;

    let deliveries = queue.claim(&Demand::new("default", 10)).await?;
    assert!(receipts.iter().zip(&deliveries).all(|(receipt, delivery)| receipt.id() == delivery.id()));
    Ok(())
}

fn keyed(key: &str) -> NewJob {
    NewJob::from(job::new()).unique(key)
}

async fn complete_one(queue: &MemoryQueue) -> TestResult {
    let deliveries = queue.claim(&Demand::new("default", 1)).await?;
    let done = deliveries.into_iter().map(|job| Settlement::new(job.lease, Transition::complete())).collect();
    queue.settle(done).await?;
    Ok(())
}

/// Q52: a batch that comes to exceed the bound while it waits is refused, and delays no other push.
#[tokio::test]
async fn a_batch_that_outgrows_the_bound_while_it_waits_is_refused() -> TestResult {
    let queue = MemoryQueue::bounded(2);
    queue.push(vec![keyed("held"), job::new().into()]).await?;
    let waiting = queue.clone();
    let batch = vec![keyed("held"), job::new().into(), job::new().into()];
    let mut push = std::pin::pin!(waiting.push(batch));
    assert!(futures_util::poll!(push.as_mut()).is_pending());

    complete_one(&queue).await?;
    complete_one(&queue).await?;

    assert_eq!(push.await.unwrap_err().kind(), QueueErrorKind::Invalid);
    queue.push(vec![job::new().into()]).await?;
    Ok(())
}

/// Q52, Q54: if a followup took the capacity of permits that a dropped push returns, the next push waits for it.
#[tokio::test]
async fn a_push_waits_for_capacity_that_followups_took() -> TestResult {
    let queue = MemoryQueue::bounded(4);
    queue.push((0..2).map(|_| job::new().into()).collect()).await?;
    let mut jobs = queue.claim(&Demand::new("default", 2)).await?;
    {
        let mut greedy = std::pin::pin!(queue.push((0..3).map(|_| job::new().into()).collect()));
        assert!(futures_util::poll!(greedy.as_mut()).is_pending());
        let mut settlement = Settlement::new(jobs.remove(0).lease, Transition::complete());
        settlement.followups = (0..3).map(|_| job::new().into()).collect();
        queue.settle(vec![settlement]).await?;
    }
    let mut push = std::pin::pin!(queue.push(vec![job::new().into()]));

    assert!(futures_util::poll!(push.as_mut()).is_pending(), "four jobs are unfinished");

    queue.settle(vec![Settlement::new(jobs.remove(0).lease, Transition::complete())]).await?;
    assert_eq!(push.await?.len(), 1);
    Ok(())
}

/// Q12: a waiter that is not polled delays no other waiter's timer.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_not_polled_delays_no_other() -> TestResult {
    let queue = MemoryQueue::new();
    queue.enqueue(NewJob::from(job::new()).queue("late")).delay(Duration::from_secs(5)).await?;
    let elsewhere = Demand::new("elsewhere", 1);
    let mut idle = std::pin::pin!(queue.claim(&elsewhere));
    assert!(futures_util::poll!(idle.as_mut()).is_pending());

    let deliveries = queue.claim(&Demand::new("late", 1).wait(Duration::from_secs(60))).await?;

    assert_eq!(deliveries.len(), 1);
    Ok(())
}

/// Q53, Q54: waiting pushes get capacity before pushes that do not wait, even if those need less than there is.
#[tokio::test]
async fn a_push_that_does_not_wait_comes_after_waiting_pushes() -> TestResult {
    let queue = MemoryQueue::bounded(2);
    queue.push(vec![job::new().into()]).await?;
    let mut waiting = std::pin::pin!(queue.push((0..2).map(|_| job::new().into()).collect()));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());

    let error = queue.try_enqueue(job::new()).unwrap_err();

    assert_eq!(
        (error.kind(), &*error.to_string()),
        (QueueErrorKind::Full, "the queue is full: earlier pushes are waiting for the remaining capacity")
    );
    complete_one(&queue).await?;
    assert_eq!(waiting.await?.len(), 2);
    Ok(())
}

/// Q107: by default, a queue in memory keeps no completed jobs.
#[tokio::test]
async fn a_completed_job_that_is_not_kept_is_in_the_history() -> TestResult {
    let queue = MemoryQueue::new();
    let id = queue.enqueue(job::new()).await?.id();

    complete_one(&queue).await?;

    assert!(queue.get(id).await?.is_none());
    let rows = queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await?;
    assert_eq!(rows.iter().map(|row| (row.name.as_str(), row.completed)).collect::<Vec<_>>(), [("job", 1)]);
    Ok(())
}

#[tokio::test]
async fn a_bound_of_zero_is_taken_as_one() -> TestResult {
    let queue = MemoryQueue::bounded(0);

    queue.try_enqueue(job::new())?;

    assert_eq!(queue.try_enqueue(job::new()).unwrap_err().kind(), QueueErrorKind::Full);
    Ok(())
}

/// Q2: a queue's own limits bind every stored job, in bounded and unbounded queues, followups too.
#[tokio::test]
async fn the_limits_of_a_queue_bind_followups_too() -> TestResult {
    let builder = || MemoryQueue::builder().limits(Limits::default().payload(10));
    let large = || NewJob::new("job", Body::stored("\"a payload of 25 bytes\""));
    for queue in [builder().bound(9).build(), builder().unbounded().build()] {
        queue.push(vec![job::new().into()]).await?;
        let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
        let mut settlement = Settlement::new(delivery.lease, Transition::complete());
        settlement.followups = vec![large()];

        let pushed = queue.push(vec![large()]).await.unwrap_err();
        let settled = queue.settle(vec![settlement]).await.unwrap_err();

        assert_eq!([pushed.kind(), settled.kind()], [QueueErrorKind::Invalid; 2], "{pushed}, {settled}");
    }
    Ok(())
}

#[tokio::test]
async fn queues_with_the_same_seed_assign_the_same_ids() -> TestResult {
    let mut given = Vec::new();
    for seed in [7, 7, 8] {
        let queue = MemoryQueue::builder().seed(seed).build();
        given.push(queue.enqueue(job::new()).await?.id());
    }

    assert_eq!(given[0], given[1]);
    assert_ne!(given[0], given[2]);
    Ok(())
}

/// Counts in the job's meta how often a hook has seen the job.
fn count(job: &mut NewJob) {
    let seen: u32 = job.meta.get("seen").map_or(0, |seen| seen.parse().expect("a number"));
    job.meta.insert("seen", (seen + 1).to_string());
}

/// H82: a function of `on_push` sees each job once, by every method that pushes.
#[tokio::test]
async fn a_hook_sees_each_job_once_before_it_is_stored() -> TestResult {
    let queue = MemoryQueue::builder().on_push(count).build();

    queue.enqueue(job::new()).await?;
    queue.enqueue_all([job::new()]).await?;
    queue.try_enqueue(job::new())?;
    queue.push(vec![job::new().into()]).await?;

    let deliveries = queue.claim(&Demand::new("default", 9)).await?;
    let seen: Vec<_> = deliveries.iter().map(|delivery| delivery.meta.get("seen")).collect();
    assert_eq!(seen, [Some("1"); 4]);
    Ok(())
}
