//! Each mistake with time says what happened and what to do (T25).

use std::time::Duration;

use queue_core::{BoxError, JobError, QueueExt as _, background_job, jobs};
use queue_testkit::{Fault, KitError, Operation, TestKit};
use tokio::sync::oneshot;

type TestResult = Result<(), BoxError>;

/// Returns an answer of another thread, which takes some real time.
fn ask_a_thread() -> oneshot::Receiver<u32> {
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(30));
        answer.send(7)
    });
    answered
}

#[background_job(timeout = "20s", max_attempts = 1)]
async fn ask() -> Result<(), JobError> {
    ask_a_thread().await.map(drop).map_err(|error| error.to_string().into())
}

/// Waits as a driver does: with a timeout of its own.
#[background_job(max_attempts = 1)]
async fn ask_by_a_driver() -> Result<(), JobError> {
    match tokio::time::timeout(Duration::from_secs(5), ask_a_thread()).await {
        Ok(_) => Ok(()),
        Err(_) => Err("the server can't be reached".into()),
    }
}

#[background_job]
async fn wait_for_ever() {
    std::future::pending::<()>().await;
}

/// T25: a timeout that fired because virtual time jumped over a real wait has a note, in the run and in assertions.
#[tokio::test(start_paused = true)]
async fn a_timeout_under_paused_time_names_the_option() -> TestResult {
    let kit = TestKit::new(jobs![ask]).build()?;
    kit.queue().enqueue(ask::new()).await?;

    let run = kit.run_until_idle().await?;

    let note = run.attempts()[0].note().ok_or("no note")?;
    assert!(note.contains("jumped to the timeout") && note.contains(".real_time()"), "{note}");
    let texts = [panic_of(|| run.expect_success()), panic_of(|| kit.assert_completed(&ask::new()))];
    assert!(texts.iter().all(|text| text.contains(note)), "{texts:?}");
    assert!(!run.trace().contains("note"), "{}", run.trace());
    Ok(())
}

/// T25: so has a failure of a driver whose own timeout fired.
#[tokio::test(start_paused = true)]
async fn a_drivers_timeout_under_paused_time_names_the_option() -> TestResult {
    let kit = TestKit::new(jobs![ask_by_a_driver]).build()?;
    kit.queue().enqueue(ask_by_a_driver::new()).await?;

    let run = kit.run_until_idle().await?;

    let text = panic_of(|| run.expect_success());
    assert!(text.contains("can't be reached") && text.contains("`TestKit::over(queue)`"), "{text}");
    Ok(())
}

/// T25: time is virtual from `build` on, for the test's own code too. Until then, a set-up may wait for something real.
#[tokio::test]
async fn a_set_up_may_wait_for_something_real_before_the_kit_is_built() -> TestResult {
    let patience = Duration::from_secs(20);
    assert_eq!(tokio::time::timeout(patience, ask_a_thread()).await??, 7);

    let _kit = TestKit::new(jobs![ask]).build()?;

    assert!(tokio::time::timeout(patience, ask_a_thread()).await.is_err(), "the time did not jump");
    Ok(())
}

/// T25: with the option, both jobs succeed.
#[tokio::test]
async fn real_time_lets_a_job_wait_for_something_real() -> TestResult {
    let kit = TestKit::new(jobs![ask, ask_by_a_driver]).real_time().build()?;
    kit.queue().enqueue(ask::new()).delay(Duration::from_secs(3600)).await?;
    kit.queue().enqueue(ask_by_a_driver::new()).await?;

    kit.run_until_idle().await?.expect_success();
    Ok(())
}

async fn never_ends(kit: TestKit) -> TestResult {
    kit.queue().enqueue(wait_for_ever::new()).await?;

    let error = kit.run_until_idle().await.expect_err("the job ended");

    assert!(
        matches!(&error, KitError::NeverEnds { job, attempt: 1, .. } if *job == "wait_for_ever"),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("has not ended after 50ms of real time") && text.contains("`timeout = \"..\"`"),
        "{text}"
    );
    Ok(())
}

const SHORT: Duration = Duration::from_millis(50);

/// T25: a job that never ends is an error that names it, however its time passes.
#[test]
fn a_job_that_never_ends_is_named() -> TestResult {
    queue_testkit::block_on(async {
        never_ends(TestKit::new(jobs![wait_for_ever]).patience(SHORT).build()?).await
    })?;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime()?
        .block_on(async { never_ends(TestKit::new(jobs![wait_for_ever]).patience(SHORT).build()?).await })?;
    runtime()?.block_on(async {
        never_ends(TestKit::new(jobs![wait_for_ever]).real_time().patience(SHORT).build()?).await
    })
}

/// T25: so is a queue that never answers.
#[test]
fn a_queue_that_never_answers_is_an_error() -> TestResult {
    queue_testkit::block_on(async {
        for operation in [Operation::Claim, Operation::Settle] {
            let kit = TestKit::new(jobs![ask]).patience(SHORT * 4).build()?;
            kit.queue().enqueue(ask::new()).await?;
            kit.faults().on(operation, 1, Fault::HangBefore);

            let error = kit.run_until_idle().await.expect_err("the queue answered");

            assert!(matches!(error, KitError::NoAnswer { .. } | KitError::NeverEnds { .. }), "{error}");
        }
        Ok(())
    })
}

fn panic_of(assertion: impl FnOnce()) -> String {
    let panic =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion)).expect_err("it should have failed");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}
