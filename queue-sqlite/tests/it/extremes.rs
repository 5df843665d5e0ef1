//! The extremes of every setting: a queue works with them, or the error says what to do.

use std::num::NonZero;
use std::time::Duration;

use queue_core::{
    Admin as _, Demand, Heartbeat, Limits, Queue as _, QueueErrorKind, QueueExt as _, Renewal, Settled,
    Settlement, State, Transition,
};
use queue_sqlite::{SqliteQueue, SqliteQueueBuilder, Synchronous};

use crate::fixture::{TestResult, work};

/// A change of one setting.
type Set = fn(SqliteQueueBuilder) -> SqliteQueueBuilder;

/// The extremes of every method of the builder, except limits that refuse the job of the test.
const EXTREMES: [(&str, Set); 14] = [
    ("no busy timeout", |queue| queue.busy_timeout(Duration::ZERO)),
    ("the shortest busy timeout", |queue| queue.busy_timeout(Duration::from_nanos(1))),
    ("the longest busy timeout", |queue| queue.busy_timeout(Duration::MAX)),
    ("no poll interval", |queue| queue.poll_interval(Duration::ZERO)),
    ("the longest poll interval", |queue| queue.poll_interval(Duration::MAX)),
    ("completed jobs kept forever", |queue| queue.keep_completed(None)),
    ("completed jobs kept for the longest time", |queue| queue.keep_completed(Duration::MAX)),
    ("cancelled jobs kept for the longest time", |queue| queue.keep_cancelled(Duration::MAX)),
    ("cancelled jobs not kept", |queue| queue.keep_cancelled(Duration::ZERO)),
    ("discarded jobs kept for the longest time", |queue| queue.keep_discarded(Duration::MAX)),
    ("discarded jobs not kept", |queue| queue.keep_discarded(Duration::ZERO)),
    ("the largest limit", |queue| queue.limits(Limits::default().payload(usize::MAX))),
    ("commits to disk", |queue| queue.synchronous(Synchronous::Full)),
    ("commits to the system", |queue| queue.synchronous(Synchronous::Normal)),
];

#[tokio::test]
async fn a_queue_works_with_the_extremes_of_every_setting() -> TestResult {
    for in_memory in [false, true] {
        for (what, set) in EXTREMES {
            let folder = tempfile::tempdir()?;
            let path = if in_memory { ":memory:".into() } else { folder.path().join("jobs.db") };
            let queue = set(SqliteQueue::builder(path)).open().await?;
            let receipt = queue.enqueue(work::new(1)).await?;
            let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
            assert_eq!(delivery.id(), receipt.id(), "{what}");
            let done = Settlement::new(delivery.lease, Transition::complete());
            assert_eq!(queue.settle(vec![done]).await?, [Settled::Applied], "{what}");
            let none = queue.claim(&Demand::new("default", 1).wait(Duration::from_millis(1))).await?;
            assert_eq!(none.len(), 0, "{what}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_completed_job_that_is_not_kept_may_be_removed_at_once() -> TestResult {
    let queue = SqliteQueue::builder(":memory:").keep_completed(Duration::ZERO).open().await?;
    let receipt = queue.enqueue(work::new(1)).await?;
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);

    queue.settle(vec![Settlement::new(delivery.lease, Transition::complete())]).await?;

    let job = queue.get(receipt.id()).await?;
    assert!(job.is_none_or(|job| job.state == State::Completed));
    Ok(())
}

/// No payload fits, and the error names the limit instead of a corrupt file.
#[tokio::test]
async fn a_limit_of_zero_refuses_every_payload() -> TestResult {
    let queue = SqliteQueue::builder(":memory:").limits(Limits::default().payload(0)).open().await?;

    let error = queue.enqueue(work::new(1)).await.expect_err("a payload above the limit was stored");

    assert_eq!(error.kind(), QueueErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("the limit is 0"), "{error}");
    Ok(())
}

#[tokio::test]
async fn leases_and_waits_have_no_upper_limit() -> TestResult {
    let queue = SqliteQueue::open(":memory:").await?;
    queue.enqueue(work::new(1)).await?;
    let longest =
        Demand::new("default", NonZero::<usize>::MAX.get()).lease(Duration::MAX).wait(Duration::MAX);

    let delivery = queue.claim(&longest).await?.remove(0);

    let renewed = queue.renew(&[Heartbeat::new(delivery.lease.clone())]).await?;
    assert!(matches!(renewed[..], [Renewal::Held { .. }]), "{renewed:?}");
    let retry = Transition::Retry { at: delivery.lease.expires_at, error: "later".to_owned() };
    assert_eq!(queue.settle(vec![Settlement::new(delivery.lease, retry)]).await?, [Settled::Applied]);
    Ok(())
}
