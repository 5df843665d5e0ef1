//! Tests attempts whose end is at a limit.

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::Attempt;
use queue_core::{
    AttemptRunner, Body, Delivery, Environment, Event, Fence, JobContext, JobError, JobId, JobRecord, Lease,
    NewJob, Outcome, Queue as _, QueueExt as _, Services, State, Timestamp, Transition, background_job, jobs,
};
use queue_testkit::{ModelQueue, Recorder, TestKit};

use crate::scopes::NoThreads;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job(timeout = "30s", max_attempts = 1)]
async fn take_all_its_time(#[inject] context: &JobContext) {
    context.sleep(Duration::from_secs(30)).await; // virtual
}

/// H3: a job that has ended by its timeout has succeeded, even if it was not polled before.
#[test]
fn a_job_that_ends_at_its_timeout_has_succeeded() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![take_all_its_time]).build()?;
        kit.queue().enqueue(take_all_its_time::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.outcome, Outcome::Success);
        assert_eq!(attempt.ended_at.since(attempt.started_at), Duration::from_secs(30));
        Ok(())
    })
}

#[background_job]
async fn fail_for_good(#[inject] context: &JobContext) -> Result<(), JobError> {
    Attempt::of(context).interrupt().request(queue_core::InterruptReason::Shutdown);
    Err(JobError::permanent("no such order"))
}

/// H14: only a failure that may be a consequence of the stop releases the job; a permanent failure stands.
#[test]
fn a_permanent_failure_after_a_shutdown_request_stands() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fail_for_good]).build()?;
        kit.queue().enqueue(fail_for_good::new()).await?;

        kit.step().await?;

        let job = kit.jobs().remove(0);
        assert_eq!((job.state, job.attempt), (State::Discarded, 1));
        assert_eq!(job.errors[0].message, "no such order");
        Ok(())
    })
}

#[background_job(alias = "fail_formerly", backoff = fixed("1h"))]
async fn fail() -> Result<(), JobError> {
    Err("it rained".into())
}

/// M9: a job that was stored under a former name is retried by the policy of its kind.
#[test]
fn a_job_under_a_former_name_has_the_retry_policy_of_its_kind() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fail]).build()?;
        kit.queue().push(vec![NewJob::new("fail_formerly", Body::json("{}")?)]).await?;

        let attempt = kit.step().await?.unwrap();

        let at = attempt.ended_at.saturating_add(Duration::from_secs(3600));
        assert_eq!(attempt.transition, Transition::Retry { at, error: "it rained".into() });
        Ok(())
    })
}

#[background_job]
async fn exaggerate(#[inject] context: &JobContext) {
    context.progress(99, "nearly there");
    context.progress(250, "more than done");
}

/// Progress above 100 percent is reported as 100, so observers need not handle it.
#[test]
fn progress_is_capped_at_a_hundred_percent() -> TestResult {
    queue_testkit::block_on(async {
        let recorder = Recorder::new();
        let kit = TestKit::new(jobs![exaggerate]).observe(recorder.clone()).build()?;
        kit.queue().enqueue(exaggerate::new()).await?;

        kit.step().await?;

        let events = recorder.events();
        let told = events.iter().filter_map(|event| match event {
            Event::Progressed { percent, .. } => Some(*percent),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [99, 100]);
        Ok(())
    })
}

/// Q32, D9: the instant of a retry is by the queue's own clock, and includes the time for which the worker buffered the job.
#[test]
fn a_retry_counts_from_the_end_of_the_attempt_by_the_queues_clock() -> TestResult {
    queue_testkit::block_on(async {
        let second = Duration::from_secs(1);
        let model = ModelQueue::new();
        let clock = model.clock().clone();
        let environment = Environment {
            clock: Arc::new(clock.clone()),
            blocking: Arc::new(NoThreads),
            observer: None,
            service: None,
        };
        let runner = AttemptRunner::new(jobs![fail], Services::none(), Arc::new(model), &[], environment);
        // The queue's clock differs much from the worker's.
        let claimed_at = Timestamp::from_micros(7_000_000);
        let job = NewJob::from(fail::new());
        let record = JobRecord::new(JobId::from_u128(1), job.name, job.body);
        let expires_at = claimed_at.saturating_add(second * 30);
        let lease = Lease::new(record.id, Fence(1), second * 30, expires_at);
        let delivery = Delivery::new(record, lease);
        let attempt = runner.attempt(delivery);
        clock.advance(second * 5);

        let attempted = runner.run(&attempt).await;

        let at = claimed_at.saturating_add(second * (5 + 3600));
        assert_eq!(attempted.settlement.transition, Transition::Retry { at, error: "it rained".into() });
        Ok(())
    })
}
