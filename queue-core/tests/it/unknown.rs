//! Tests that a job whose name a program does not know waits, without using attempts, for a program that knows it.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    Admin as _, AttemptRunner, Body, Demand, Environment, JobError, Jobs, NewJob, Queue as _, Services,
    State, Transition, background_job, jobs,
};
use queue_testkit::{ModelQueue, TestKit};

use crate::scopes::NoThreads;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job(max_attempts = 3)]
async fn bill() -> Result<(), JobError> {
    Err("it rained".into())
}

#[background_job]
async fn bill_of_old() {}

/// Runs one job, as a worker of a program that knows these jobs.
async fn work_on_one(queue: &ModelQueue, jobs: Jobs) -> TestResult {
    let clock = Arc::new(queue.clock().clone());
    let environment = Environment { clock, blocking: Arc::new(NoThreads), observer: None, service: None };
    let runner = AttemptRunner::new(jobs, Services::none(), Arc::new(queue.clone()), &[], environment);
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let attempted = runner.run(&runner.attempt(delivery)).await;
    queue.settle(vec![attempted.settlement]).await?;
    Ok(())
}

/// H65: the claims of an old worker use none of the attempts of a job that it does not know.
#[test]
fn claims_by_an_old_worker_use_no_attempts() -> TestResult {
    queue_testkit::block_on(async {
        let queue = ModelQueue::new();
        let id = queue.push(vec![bill::new().into()]).await?.remove(0).id();
        for _ in 0..4 {
            work_on_one(&queue, jobs![bill_of_old]).await?;
            queue.clock().advance(Duration::from_secs(60));
        }

        work_on_one(&queue, jobs![bill]).await?;

        let job = queue.get(id).await?.unwrap();
        assert_eq!((job.state, job.attempt, job.max_attempts), (State::Retryable, 1, 3));
        let errors: Vec<_> = job.errors.iter().map(|error| (error.attempt, error.message.as_str())).collect();
        let unknown = "no job is called `bill` here; the nearest known: `bill_of_old`; list it in `jobs![..]` of a service that serves \
                       `default`";
        let unknown = || (1, unknown);
        assert_eq!(errors, [unknown(), unknown(), unknown(), unknown(), (1, "it rained")]);
        Ok(())
    })
}

/// H7, H65: a job of an unknown name waits between claims, up to a minute, with the nearest known name in its errors, and is
/// never discarded.
#[test]
fn an_unknown_job_is_never_discarded() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![bill_of_old]).build()?;
        let job = NewJob::new("bill_of_odl", Body::json("null")?).max_attempts(1);
        kit.queue().push(vec![job]).await?;

        let run = kit.run_for(Duration::from_secs(3600)).await?;

        let job = kit.jobs().remove(0);
        assert_eq!((job.state, job.attempt), (State::Scheduled, 0));
        assert_eq!(
            job.errors[0].message,
            "no job is called `bill_of_odl` here; the nearest known: `bill_of_old`; list it in `jobs![..]` of a service that serves \
             `default`"
        );
        assert!(job.fence.0 >= 60, "it was claimed {} times in an hour", job.fence.0);
        for attempt in run.attempts() {
            let Transition::Snooze { at, .. } = &attempt.transition else {
                panic!("an unknown job was not snoozed: {attempt:?}");
            };
            assert!(at.since(attempt.ended_at) <= Duration::from_secs(60), "{attempt:?}");
        }
        Ok(())
    })
}
