//! The clock of the machine is set back or forward while jobs wait (D34).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxFuture, Clock, Delivery, Demand, Heartbeat, NewJob, Queue as _, QueueExt as _, Renewal,
    Settled, Settlement, State, Timestamp, Transition,
};
use queue_sqlite::SqliteQueue;

use crate::fixture::{TestResult, work};

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A clock that an operator sets. Like that of the machine, it wakes no sleeper when it is set.
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

/// Claims without a wait.
async fn claimed(queue: &SqliteQueue) -> Result<Vec<Delivery>, queue_core::QueueError> {
    queue.claim(&Demand::new("default", 10).lease(MINUTE).wait(Duration::ZERO)).await
}

/// D34: Ready jobs and new jobs run as before, workers that run keep their leases, and no job is lost.
#[tokio::test]
async fn a_clock_that_is_set_back_affects_no_ready_job_and_no_running_worker() -> TestResult {
    let clock = Settable::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(work::new(1)).await?;
    let held = claimed(&queue).await?.remove(0);
    let ready = queue.enqueue(work::new(2)).await?.id();

    clock.set_back(HOUR);

    let renewed = queue.renew(&[Heartbeat::new(held.lease.clone())]).await?;
    let expires_at = clock.now().saturating_add(MINUTE);
    assert_eq!(renewed, [Renewal::held(expires_at, None)]);
    let delivered = claimed(&queue).await?;
    assert_eq!(delivered.iter().map(Delivery::id).collect::<Vec<_>>(), [ready]);
    let done = [&held, &delivered[0]].map(|job| Settlement::new(job.lease.clone(), Transition::complete()));
    assert_eq!(queue.settle(done.into()).await?, [Settled::Applied, Settled::Applied]);
    let new = queue.push(vec![NewJob::from(work::new(3)).delay(MINUTE)]).await?[0].id();
    clock.set_forward(MINUTE);
    assert_eq!(claimed(&queue).await?.iter().map(Delivery::id).collect::<Vec<_>>(), [new]);
    Ok(())
}

/// D34: Scheduled jobs and jobs of dead workers wait until their time by the clock, so exactly as much longer as it was set
/// back.
#[tokio::test]
async fn a_clock_that_is_set_back_delays_scheduled_jobs_by_as_much() -> TestResult {
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

/// D34: Jobs that are due by the new time run at once, and workers whose leases ended before it have lost them, as after the
/// machine slept.
#[tokio::test]
async fn a_clock_that_is_set_forward_makes_jobs_due_at_once() -> TestResult {
    let clock = Settable::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(work::new(1)).await?;
    let held = claimed(&queue).await?.remove(0);
    let delayed = queue.push(vec![NewJob::from(work::new(2)).delay(MINUTE)]).await?[0].id();

    clock.set_forward(HOUR);

    assert_eq!(queue.renew(&[Heartbeat::new(held.lease.clone())]).await?, [Renewal::Lost]);
    let delivered: Vec<_> = claimed(&queue).await?.iter().map(Delivery::id).collect();
    assert_eq!(delivered, [held.id(), delayed]);
    assert_eq!(queue.get(delayed).await?.map(|job| job.state), Some(State::Executing));
    Ok(())
}
