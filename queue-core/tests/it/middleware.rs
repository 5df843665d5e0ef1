//! Tests that middleware is bounded by its attempt.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    AttemptRunner, Clock, Demand, Environment, FailureCause, InterruptReason, JobContext, Outcome,
    Queue as _, QueueExt as _, Services, Transition, Worker, background_job, jobs,
};
use queue_testkit::{ModelQueue, TestKit};

use crate::scopes::NoThreads;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const SECOND: Duration = Duration::from_secs(1);

#[background_job(timeout = "30s", max_attempts = 1)]
async fn quick() {}

#[background_job(timeout = "30s", max_attempts = 1)]
async fn stuck() {
    std::future::pending::<()>().await;
}

/// The point at which a layer hangs.
#[derive(Clone, Copy, Debug)]
enum Stops {
    Before,
    After,
}

struct Stuck(Stops, Arc<dyn Worker>);

#[async_trait]
impl Worker for Stuck {
    async fn work(&self, context: &JobContext) -> Outcome {
        if matches!(self.0, Stops::After) {
            self.1.work(context).await;
        }
        std::future::pending().await
    }
}

/// H70: the timeout ends middleware that never returns, wherever it hangs.
#[test]
fn middleware_that_never_returns_is_ended_by_the_timeout() -> TestResult {
    for stops in [Stops::Before, Stops::After] {
        queue_testkit::block_on(async {
            let kit = TestKit::new(jobs![quick]).layer(move |inner| Stuck(stops, inner)).build()?;
            kit.queue().enqueue(quick::new()).await?;

            let attempt = kit.step().await?.unwrap();

            let failure = attempt.outcome.failure().unwrap();
            assert_eq!(
                (failure.cause, failure.message.as_str()),
                (FailureCause::Timeout, "timed out after 30s")
            );
            assert_eq!(attempt.ended_at.since(attempt.started_at), SECOND * 31, "{stops:?}");
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
    }
    Ok(())
}

/// H70, H14: force ends middleware that never returns, and the job is released.
#[test]
fn middleware_that_never_returns_is_ended_by_force() -> TestResult {
    for stops in [Stops::Before, Stops::After] {
        queue_testkit::block_on(async {
            let queue = ModelQueue::new();
            queue.push(vec![stuck::new().into()]).await?;
            let clock = queue.clock().clone();
            let environment = Environment {
                clock: Arc::new(clock.clone()),
                blocking: Arc::new(NoThreads),
                observer: None,
                service: None,
            };
            let layer = move |inner| -> Arc<dyn Worker> { Arc::new(Stuck(stops, inner)) };
            let layers: [queue_core::Layer; 1] = [Arc::new(layer)];
            let runner = AttemptRunner::new(
                jobs![stuck],
                Services::none(),
                Arc::new(queue.clone()),
                &layers,
                environment,
            );
            let attempt = runner.attempt(queue.claim(&Demand::new("default", 1)).await?.remove(0));
            let begun = clock.now();

            let forced = async {
                attempt.interrupt().force(InterruptReason::Shutdown);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    clock.advance(SECOND / 10);
                }
            };
            let (attempted, ()) = tokio::join!(runner.run(&attempt), forced);

            assert_eq!(attempted.settlement.transition, Transition::Release, "{stops:?}");
            assert!(clock.now().since(begun) <= SECOND * 2);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
    }
    Ok(())
}

/// Waits before the job, and records its outcome.
struct Slow(Arc<dyn Worker>, Arc<Mutex<Vec<Outcome>>>);

#[async_trait]
impl Worker for Slow {
    async fn work(&self, context: &JobContext) -> Outcome {
        context.sleep(SECOND * 20).await; // virtual
        let outcome = self.0.work(context).await;
        self.1.lock().unwrap().push(outcome);
        Outcome::Success
    }
}

/// H70, H18: middleware shares the job's timeout, sees the timed-out outcome, and may return another one.
#[test]
fn middleware_shares_the_timeout_and_sees_it() -> TestResult {
    queue_testkit::block_on(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let kit = TestKit::new(jobs![stuck]).layer(move |inner| Slow(inner, noted.clone())).build()?;
        kit.queue().enqueue(stuck::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.outcome, Outcome::Success);
        assert_eq!(attempt.ended_at.since(attempt.started_at), SECOND * 30);
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].failure().map(|failure| failure.cause), Some(FailureCause::Timeout));
        Ok(())
    })
}
