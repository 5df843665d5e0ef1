//! A kit over a queue that was passed to it: its time, and the time that it can't move (T22, T23, T25, T28).

use std::process::Command;
use std::time::{Duration, Instant};

use queue_core::table::Retention;
use queue_core::{BoxError, Demand, JobContext, JobError, Queue as _, QueueExt as _, background_job, jobs};
use queue_testkit::{KitError, ModelQueue, TestKit, VirtualClock};
use queue_tokio::MemoryQueue;

type TestResult = Result<(), BoxError>;

const HOUR: Duration = Duration::from_secs(3600);

#[background_job(max_attempts = 2)]
async fn fail_once(#[inject] context: &JobContext) -> Result<(), JobError> {
    if context.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
}

#[background_job]
async fn nap(#[inject] context: &JobContext) {
    context.sleep(HOUR).await; // virtual
}

/// Set in the process in which the test below fails.
const FAILS: &str = "QUEUE_TESTKIT_FAILS";

/// The test fails in a process of its own, which says how to repeat its run. A kit of `over` is not named as one of `new`.
#[test]
fn a_failed_test_says_how_its_seed_is_set() -> TestResult {
    if std::env::var_os(FAILS).is_some() {
        let _kit = TestKit::over(ModelQueue::new()).seed(7).build()?;
        panic!("the test fails");
    }
    let mut program = Command::new(std::env::current_exe()?);
    program.args(["over::a_failed_test_says_how_its_seed_is_set", "--exact", "--nocapture"]);

    let failed = program.env(FAILS, "yes").output()?;

    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success(), "{said}");
    assert!(said.contains("the seed 7: `.seed(7)` on the kit repeats it"), "{said}");
    assert!(!said.contains("TestKit::new"), "{said}");
    Ok(())
}

fn memory() -> MemoryQueue {
    MemoryQueue::builder().retention(Retention::everything()).build()
}

/// T28: a run waits for a lease that another worker holds, longer than the default one.
#[tokio::test]
async fn a_long_lease_of_another_worker_is_waited_for() -> TestResult {
    let queue = ModelQueue::new();
    let kit = TestKit::over(queue.clone()).jobs(jobs![fail_once]).build()?;
    queue.enqueue(fail_once::new()).await?;
    let demand = Demand::new("default", 1).lease(24 * HOUR).wait(Duration::ZERO);
    assert_eq!(queue.claim(&demand).await?.len(), 1);

    let run = kit.run_until_idle().await?;

    run.expect_success();
    assert!(kit.now().since(VirtualClock::START) >= 24 * HOUR, "{}", run.trace());
    Ok(())
}

/// T22: the kit moves the clock that a queue was opened with.
#[tokio::test]
async fn a_queue_in_memory_with_a_clock_of_the_test_waits_for_nothing() -> TestResult {
    let queue = MemoryQueue::builder().clock(VirtualClock::new()).retention(Retention::everything()).build();
    let kit = TestKit::over(queue.clone()).jobs(jobs![fail_once]).build()?;
    queue.enqueue(fail_once::new()).delay(24 * HOUR).await?;

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts().len(), 2);
    kit.assert_completed(&fail_once::new());
    Ok(())
}

/// T22: a queue with the machine's clock is waited for in real time.
#[tokio::test]
async fn a_queue_without_a_clock_for_tests_is_waited_for() -> TestResult {
    let queue = memory();
    let kit = TestKit::over(queue.clone()).jobs(jobs![fail_once]).build()?;
    let (began, delay) = (Instant::now(), Duration::from_millis(30));
    queue.enqueue(queue_core::NewJob::from(fail_once::new()).max_attempts(1)).delay(delay).await?;

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts().len(), 1);
    assert!(began.elapsed() >= delay);
    Ok(())
}

/// T25: a wait that is too long for a test is an error that says how the queue is opened.
#[tokio::test]
async fn a_time_that_the_kit_can_not_move_is_an_error() -> TestResult {
    let queue = memory();
    let kit = TestKit::over(queue.clone()).jobs(jobs![fail_once]).build()?;
    queue.enqueue(fail_once::new()).delay(HOUR).await?;

    let error = kit.run_until_idle().await.expect_err("the kit waited for an hour");

    assert!(matches!(error, KitError::RealTime { wait } if wait > HOUR / 2), "{error}");
    for part in [".clock(VirtualClock::new())", ".test_clock(..)", ".patience(..)"] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
    Ok(())
}

/// T23: an hour within an attempt passes at once if the test asks for it, with tokio's paused time and without tokio.
#[test]
fn time_within_an_attempt_is_virtual_if_the_test_asks() -> TestResult {
    let run = async || {
        let queue = ModelQueue::new();
        let kit = TestKit::over(queue.clone()).jobs(jobs![nap]).virtual_time().build()?;
        queue.enqueue(nap::new()).await?;

        kit.run_until_idle().await?.expect_success();

        // Tokio counts milliseconds.
        assert_eq!(kit.now().since(VirtualClock::START).as_secs(), HOUR.as_secs());
        kit.assert_completed(&nap::new());
        Ok(())
    };
    queue_testkit::block_on(run())?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

/// T25: virtual time needs a clock that the kit can move.
#[tokio::test]
async fn virtual_time_without_a_clock_for_tests_is_refused() {
    let refused = TestKit::over(memory()).jobs(jobs![nap]).virtual_time().build();

    let error = refused.expect_err("the kit can't move this clock").to_string();
    assert!(error.contains("open the queue with a clock for tests"), "{error}");
}

/// T25: paused time and a kit that waits for real are refused together.
#[tokio::test(start_paused = true)]
async fn paused_time_and_real_waits_are_refused_together() -> TestResult {
    for kit in [TestKit::over(ModelQueue::new()), TestKit::new(jobs![]).real_time()] {
        let error = kit.build().expect_err("time is paused").to_string();
        assert!(error.contains("tokio's time is paused") && error.contains(".virtual_time()"), "{error}");
    }
    TestKit::over(ModelQueue::new()).virtual_time().build()?;
    Ok(())
}
