//! Tests closures as jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use queue_core::{CallScope, JobError, NewJob, QueueExt as _, State, jobs};
use queue_testkit::TestKit;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// H23: a closure gets a token and the services of its own scope.
#[test]
fn a_closure_gets_a_token_and_services() -> TestResult {
    queue_testkit::block_on(async {
        let count = Arc::new(AtomicU32::new(0));
        let kit = TestKit::new(jobs![]).singleton_as(count.clone()).build()?;
        kit.queue()
            .enqueue(NewJob::call(async move |scope: CallScope| {
                assert!(!scope.token().is_cancelled());
                scope.service::<AtomicU32>().await?.fetch_add(1, Ordering::SeqCst);
                Ok::<(), JobError>(())
            }))
            .await?;

        kit.run_until_idle().await?.expect_success();

        assert_eq!(count.load(Ordering::SeqCst), 1);
        Ok(())
    })
}

#[test]
fn a_closure_that_fails_is_discarded_with_its_error() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![]).build()?;
        kit.queue().enqueue(NewJob::call(async |_| Err::<(), _>("no luck"))).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts().len(), 1);
        let job = kit.jobs().remove(0);
        assert_eq!((job.state, job.errors[0].message.as_str()), (State::Discarded, "no luck"));
        Ok(())
    })
}

/// S7: a scope that was moved out of its attempt provides no services after the attempt.
#[test]
fn a_scope_provides_no_services_after_its_attempt() -> TestResult {
    queue_testkit::block_on(async {
        let (leak, leaked) = std::sync::mpsc::channel();
        let kit = TestKit::new(jobs![]).singleton(7_u8).build()?;
        kit.queue()
            .enqueue(NewJob::call(async move |scope: CallScope| leak.send(scope).map_err(|_| "gone")))
            .await?;
        kit.run_until_idle().await?.expect_success();

        let error = leaked.recv()?.service::<u8>().await.unwrap_err();

        assert_eq!(error.to_string(), "u8: the attempt has ended, and its scope with it");
        Ok(())
    })
}
