//! A machine whose clock is set back or forward while jobs wait (D34).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxFuture, Clock, Delivery, Demand, NewJob, Queue as _, QueueExt as _, Renewal, Settled,
    Settlement, State, Timestamp, Transition,
};
use queue_sqlite::SqliteQueue;

use crate::fixture::{TestResult, work};

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A clock that an operator sets. Nobody who waits is woken by it, as with the machine's.
#[derive(Clone)]
struct Settable(Arc<AtomicI64>);

impl Settable {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000_000)))
    }

    fn set_forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).expect("a step"), Ordering::SeqCst);
    }

    fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_micros()).expect("a step"), Ordering::SeqCst);
    }
}

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// What a claim delivers that doesn't wait.
async fn claimed(queue: &SqliteQueue) -> Result<Vec<Delivery>, queue_core::QueueError> {
    queue.claim(&Demand::new("default", 10).lease(MINUTE).wait(Duration::ZERO)).await
}

/// D34: Ready jobs and new ones run as if nothing had happened, workers that live keep their leases, and nothing is lost.
#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_ready_job_and_no_worker_that_lives() -> TestResult {
    let clock = Settable::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(work::new(1)).await?;
    let held = claimed(&queue).await?.remove(0);
    let ready = queue.enqueue(work::new(2)).await?.id();

    clock.set_back(HOUR);

    let renewed = queue.renew(std::slice::from_ref(&held.lease)).await?;
    let expires_at = clock.now().saturating_add(MINUTE);
    assert_eq!(renewed, [Renewal::held(expires_at, None)]);
    let delivered = claimed(&queue).await?;
    assert_eq!(delivered.iter().map(Delivery::id).collect::<Vec<_>>(), [ready]);
    let done = [&held, &delivered[0]].map(|job| Settlement::new(job.lease.clone(), Transition::Complete));
    assert_eq!(queue.settle(done.into()).await?, [Settled::Applied, Settled::Applied]);
    let new = queue.push(vec![NewJob::from(work::new(3)).delay(MINUTE)]).await?[0].id();
    clock.set_forward(MINUTE);
    assert_eq!(claimed(&queue).await?.iter().map(Delivery::id).collect::<Vec<_>>(), [new]);
    Ok(())
}

/// D34: What was scheduled, and the job of a worker that died, wait for their instant by the machine's clock: as much
/// longer as it was set back, and no longer.
#[tokio::test]
async fn a_clock_that_is_set_back_delays_what_has_an_instant_by_as_much() -> TestResult {
    let clock = Settable::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    let of_the_dead = queue.enqueue(work::new(1)).await?.id();
    claimed(&queue).await?;
    let delayed = queue.push(vec![NewJob::from(work::new(2)).delay(MINUTE)]).await?[0].id();

    clock.set_back(HOUR);
    clock.set_forward(MINUTE);
    assert_eq!(claimed(&queue).await?.len(), 0);
    clock.set_forward(HOUR);

    let mut delivered: Vec<_> = claimed(&queue).await?.iter().map(Delivery::id).collect();
    delivered.sort_unstable();
    let mut expected = vec![of_the_dead, delayed];
    expected.sort_unstable();
    assert_eq!(delivered, expected);
    Ok(())
}

/// D34: What is due by then runs at once, and a worker whose lease is past has lost it, as after a long sleep of the
/// machine.
#[tokio::test]
async fn a_clock_that_is_set_forward_runs_at_once_what_is_due_by_then() -> TestResult {
    let clock = Settable::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(work::new(1)).await?;
    let held = claimed(&queue).await?.remove(0);
    let delayed = queue.push(vec![NewJob::from(work::new(2)).delay(MINUTE)]).await?[0].id();

    clock.set_forward(HOUR);

    assert_eq!(queue.renew(std::slice::from_ref(&held.lease)).await?, [Renewal::Lost]);
    let delivered: Vec<_> = claimed(&queue).await?.iter().map(Delivery::id).collect();
    assert_eq!(delivered, [held.id(), delayed]);
    assert_eq!(queue.get(delayed).await?.map(|job| job.state), Some(State::Executing));
    Ok(())
}
