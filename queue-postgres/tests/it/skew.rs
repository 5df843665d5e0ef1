//! The server's clock rules (D9).

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    BoxFuture, Clock, Demand, Interrupt, JobError, Performer, Queue as _, QueueExt as _, Services, Timestamp,
    Transition, World, background_job, jobs,
};
use queue_testkit::{Fixture as _, VirtualClock};

use crate::fixture::{NoThreads, TestResult, UnderTest};

/// A clock that is an hour fast.
struct Fast(VirtualClock);

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Clock for Fast {
    fn now(&self) -> Timestamp {
        self.0.now().saturating_add(HOUR)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration) // virtual
    }
}

#[background_job]
async fn wait_a_minute() -> Result<(), JobError> {
    Err(JobError::retry_in(Duration::from_secs(60), "later"))
}

/// D9: a worker whose clock is wrong by an hour, or by years, claims and retries when the server's clock says.
#[tokio::test]
async fn a_workers_clock_that_is_wrong_by_an_hour_changes_nothing() -> TestResult {
    let fixture = UnderTest::fresh().await;
    let queue = fixture.queue();
    let clock = VirtualClock::new();
    let world = World { clock: Arc::new(Fast(clock.clone())), blocking: Arc::new(NoThreads), observer: None };
    let services = Services::builder().build()?;
    let performer =
        Performer::new(jobs![wait_a_minute], services, Arc::new(queue.clone()), &[], world.clone());
    queue.enqueue(wait_a_minute::new()).await?;
    let mut delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    delivery.received_at = Some(world.clock.now());
    clock.advance(Duration::from_secs(5));
    fixture.advance(Duration::from_secs(5)).await;

    let attempted = performer.run(&delivery, Interrupt::new()).await;

    let due = fixture.now().saturating_add(Duration::from_secs(60));
    assert_eq!(attempted.settlement.transition, Transition::Retry { at: due, error: "later".into() });
    Ok(())
}
