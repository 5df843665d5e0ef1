//! Clients whose clocks are wrong (D9).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use queue_core::{
    AttemptRunner, Blocking, BoxFuture, Clock, Demand, Environment, JobError, Services, Settled, State,
    Timestamp, background_job, jobs,
};

use super::harness::StoreHarness;
use crate::law::expect_eq;

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A clock that is wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Fast,
    Slow,
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        match self {
            Self::Fast => (now + HOUR).into(),
            Self::Slow => (now - HOUR).into(),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A runner of blocking jobs for attempts without any.
pub(super) struct NoThreads;

impl Blocking for NoThreads {
    fn run_blocking(&self, _: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

#[background_job]
async fn wait_a_minute() -> Result<(), JobError> {
    Err(JobError::retry_in(MINUTE, "later"))
}

pub(super) async fn d9_a_client_clock_wrong_by_an_hour_changes_nothing(harness: &StoreHarness) {
    let queue = harness.open().await;
    for clock in [Wrong::Fast, Wrong::Slow] {
        let environment = Environment {
            clock: Arc::new(clock),
            blocking: Arc::new(NoThreads),
            observer: None,
            service: None,
        };
        let services = Services::builder().build().unwrap_or_else(|error| panic!("no services: {error}"));
        let runner =
            AttemptRunner::new(jobs![wait_a_minute], services, queue.clone(), &[], environment.clone());
        // A second that this process waits is a second of the queue's clock, even if the client's clock is wrong.
        let started = std::time::Instant::now();
        let pushed = harness.push(&*queue, vec![wait_a_minute::new().into()]).await;
        let claim = async { queue.claim(&Demand::new("default", 1)).await };
        let deliveries = harness.steps().ok("a claim", claim).await;
        let Some(delivery) = deliveries.into_iter().next() else {
            panic!("a claim that waits returned no job")
        };
        expect_eq!([delivery.id()], *pushed, "the one job that is due, to a client whose clock is {clock:?}");
        let attempted = runner.run(&runner.attempt(delivery.clone())).await;
        let settled = harness.steps().ok("a settlement", queue.settle(vec![attempted.settlement])).await;

        expect_eq!(settled, [Settled::Applied], "a settlement by a client whose clock is {clock:?}");
        let took = started.elapsed();
        let job = harness.steps().ok("`get`", queue.get(delivery.id())).await;
        let Some(job) = job else { panic!("the failed job is missing") };
        expect_eq!(job.state, State::Retryable, "the state of a job that failed: {job:?}");
        let wait = job.run_at.since(job.pushed_at);
        let slack = Duration::from_millis(10);
        assert!(
            wait + slack >= MINUTE && wait <= MINUTE + took + slack,
            "a job that failed within {took:?} was to run again a minute later, by the queue's clock, and is due \
             {wait:?} after it was pushed: the client's clock is {clock:?} by an hour"
        );
    }
}
