//! Tests the events that wake a claim which waits for a limit. No test polls, so nothing else can have woken it.

use std::pin::pin;
use std::time::Duration;

use futures_util::poll;
use queue_core::{
    Admin as _, Delivery, Demand, Limit, LimitScope, NewJob, Queue as _, QueueLimits, QueueName, Settlement,
    Transition,
};
use queue_sqlite::SqliteQueue;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const MINUTE: Duration = Duration::from_secs(60);
const NEVER: Duration = Duration::from_secs(60 * 60 * 24);

/// Creates a queue with this limit of each partition and two jobs of one partition, of which one runs.
async fn limited(
    limit: Limit,
) -> Result<(SqliteQueue, VirtualClock, Delivery), Box<dyn std::error::Error + Send + Sync>> {
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).poll_interval(NEVER).open().await?;
    queue.declare_limits(&QueueName::new("default"), &QueueLimits::each(limit)).await?;
    queue.push((1..=2).map(|number| NewJob::from(work::new(number)).partition("acme")).collect()).await?;
    let running = queue.claim(&demand()).await?;
    assert_eq!(running.len(), 1, "the limit lets one start");
    Ok((queue, clock, running.into_iter().next().ok_or("no job")?))
}

fn demand() -> Demand {
    Demand::new("default", 5).lease(10 * MINUTE)
}

#[tokio::test]
async fn a_rate_lets_the_next_job_start() -> TestResult {
    let (queue, clock, _running) = limited(Limit::starts(1, MINUTE)).await?;
    let demand = demand();
    let mut waiting = pin!(queue.claim(&demand));
    assert!(poll!(&mut waiting).is_pending());
    queue.poll_now().await;

    clock.advance(MINUTE - Duration::from_micros(1));
    queue.poll_now().await;
    assert!(poll!(&mut waiting).is_pending(), "too early");
    clock.advance(Duration::from_micros(1));

    assert_eq!(waiting.await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_rate_of_the_queue_lets_the_next_job_start() -> TestResult {
    let (queue, clock, _running) = limited(Limit::running(1)).await?;
    let name = QueueName::new("default");
    queue.declare_limits(&name, &QueueLimits::total(Limit::starts(1, MINUTE))).await?;
    assert_eq!(queue.claim(&demand()).await?.len(), 1);
    queue.push(vec![NewJob::from(work::new(3))]).await?;
    let demand = demand();
    let mut waiting = pin!(queue.claim(&demand));
    assert!(poll!(&mut waiting).is_pending());
    queue.poll_now().await;

    clock.advance(MINUTE);

    assert_eq!(waiting.await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_hold_ends() -> TestResult {
    let (queue, clock, running) = limited(Limit::running(1)).await?;
    let at = queue_core::Clock::now(&clock).saturating_add(MINUTE);
    queue.settle(vec![Settlement::new(running.lease, Transition::Throttle { at })]).await?;
    let demand = demand();
    let mut waiting = pin!(queue.claim(&demand));
    assert!(poll!(&mut waiting).is_pending());
    queue.poll_now().await;
    assert!(poll!(&mut waiting).is_pending(), "the partition is held");

    clock.advance(MINUTE);

    assert_eq!(waiting.await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_settlement_and_an_expired_lease_free_a_place() -> TestResult {
    let (queue, clock, running) = limited(Limit::running(1)).await?;
    let demand = demand();
    {
        let mut waiting = pin!(queue.claim(&demand));
        assert!(poll!(&mut waiting).is_pending());
        queue.poll_now().await;

        queue.settle(vec![Settlement::new(running.lease, Transition::complete())]).await?;

        assert_eq!(waiting.await?.len(), 1);
    }
    let mut waiting = pin!(queue.claim(&demand));
    assert!(poll!(&mut waiting).is_pending());
    queue.poll_now().await;

    clock.advance(10 * MINUTE);

    assert_eq!(waiting.await?.first().map(|job| job.attempt), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_limit_is_raised_or_taken_back() -> TestResult {
    let (queue, _clock, _running) = limited(Limit::running(1)).await?;
    let (name, scope) = (QueueName::new("default"), LimitScope::One("acme".into()));
    let demand = demand();
    let mut waiting = pin!(queue.claim(&demand));
    assert!(poll!(&mut waiting).is_pending());
    queue.set_limit(&name, &scope, Some(Limit::running(0))).await?;
    assert!(poll!(&mut waiting).is_pending(), "the partition is paused");

    queue.set_limit(&name, &scope, Some(Limit::running(2))).await?;

    assert_eq!(waiting.await?.len(), 1);
    Ok(())
}
