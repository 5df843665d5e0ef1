//! Blocking jobs in a kit run on threads, as in production (T24).

use std::sync::mpsc;
use std::time::Duration;

use queue_core::{BoxError, JobError, NewJob, QueueExt as _, background_job, jobs};
use queue_testkit::TestKit;
use tokio::runtime::Handle;

type TestResult = Result<(), BoxError>;

/// Computes for some real time, longer than the kit needs to let its timeout pass in virtual time.
#[background_job(blocking, timeout = "20s", max_attempts = 1)]
fn render(pages: u32) -> Result<(), JobError> {
    std::thread::park_timeout(Duration::from_millis(20));
    if pages == 0 { Err("nothing to render".into()) } else { Ok(()) }
}

/// Waits for an asynchronous call by the runtime's handle.
#[background_job(blocking, timeout = "20s", max_attempts = 1)]
fn upload() -> Result<(), JobError> {
    let (sent, received) = tokio::sync::oneshot::channel();
    let handle = Handle::try_current().map_err(|error| JobError::permanent(error.to_string()))?;
    handle.spawn(async move { sent.send(7) });
    let answer = handle.block_on(received).map_err(|error| error.to_string())?;
    if answer == 7 { Ok(()) } else { Err("a wrong answer".into()) }
}

#[background_job(blocking)]
fn panic_on_a_thread() {
    panic!("a bug");
}

/// T24: virtual time stands still while a blocking job runs, so its timeout does not fire.
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_blocking_job_does_not_fire_under_paused_time() -> TestResult {
    let kit = TestKit::new(jobs![render, upload]).build()?;
    kit.queue().enqueue(render::new(1)).await?;
    kit.queue().enqueue(upload::new()).await?;

    kit.run_until_idle().await?.expect_success();
    Ok(())
}

/// T24: nor without a runtime, where the job has a thread of its own.
#[test]
fn a_blocking_job_needs_no_runtime() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![render]).build()?;
        kit.queue().enqueue_all([render::new(1), render::new(0)]).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.failures().count(), 1, "{}", run.trace());
        Ok(())
    })
}

/// T24: a panic of a blocking job is a failure.
#[tokio::test]
async fn a_panic_on_a_blocking_thread_is_a_failure() -> TestResult {
    let kit = TestKit::new(jobs![panic_on_a_thread]).real_time().build()?;
    kit.queue().enqueue(NewJob::from(panic_on_a_thread::new()).max_attempts(1)).await?;

    let run = kit.run_until_idle().await?;

    assert!(run.trace().contains("a bug"), "{}", run.trace());
    Ok(())
}

/// T9, T24: a blocking job has no crash point while its thread runs, because the thread would outlive the crash.
#[tokio::test]
async fn a_blocking_job_is_explored_before_and_after_its_thread() -> TestResult {
    let (ended, ends) = mpsc::channel();
    let setup = async || {
        let kit = TestKit::new(jobs![render]).real_time().build()?;
        kit.queue().enqueue(NewJob::from(render::new(1)).max_attempts(2)).await?;
        Ok(kit)
    };

    let explored =
        queue_testkit::crash_everywhere(setup).check(|kit| ended.send(kit.report().attempts().len())).await?;

    assert_eq!(explored.crashes, 1, "unsettled");
    assert_eq!(ends.try_iter().collect::<Vec<_>>(), [1, 1]);
    Ok(())
}
