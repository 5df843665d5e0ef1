//! Tests the kit (laws T1–T7 and T12–T15).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::{Clock as _, JobContext, JobError, QueueExt as _, background_job, jobs};
use queue_testkit::{Recorder, TestKit, assert_enqueued, refute_enqueued};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
type Seen = Mutex<Vec<u32>>;

#[background_job(max_attempts = 4)]
async fn flaky(#[inject] context: &JobContext, #[inject] seen: &Seen, number: u32) -> Result<(), JobError> {
    seen.lock().unwrap().push(number);
    if context.attempt() <= number % 3 {
        Err("flaky")?;
    }
    Ok(())
}

#[background_job]
async fn chain_for_ever(#[inject] context: &JobContext) {
    context.then(chain_for_ever::new());
}

#[background_job]
async fn tokio_sleep(#[inject] context: &JobContext) {
    let before = context.now();
    tokio::time::sleep(Duration::from_secs(90)).await; // virtual
    context.sleep(Duration::from_secs(10)).await; // virtual
    assert_eq!(context.now().since(before), Duration::from_secs(100), "both clocks are one");
}

#[background_job]
async fn send_welcome(user_id: u64, template: &str) {
    let _ = (user_id, template);
}

async fn trace(seed: Option<u64>) -> String {
    let seen = Arc::new(Seen::default());
    let kit = TestKit::new(jobs![flaky]).singleton_as(seen);
    let kit = if let Some(seed) = seed { kit.seed(seed) } else { kit }.build().unwrap();
    kit.queue().enqueue_all((0..12).map(flaky::new)).await.unwrap();
    kit.run_until_idle().await.unwrap().trace()
}

/// T1: the same seed produces the same trace, byte for byte.
#[test]
fn the_same_seed_gives_the_same_trace() {
    queue_testkit::block_on(async {
        assert_eq!(trace(Some(7)).await, trace(Some(7)).await);
        assert_eq!(trace(None).await, trace(None).await);
    });
}

/// T2: another seed permutes the order of attempts and changes nothing else.
#[test]
fn another_seed_permutes_the_order_only() {
    queue_testkit::block_on(async {
        let traces: Vec<_> = futures(0..8).await;
        assert!(traces.iter().any(|trace| *trace != traces[0]), "no seed made a difference:\n{}", traces[0]);
        let attempts = |trace: &String| trace.lines().count();
        assert!(traces.iter().all(|trace| attempts(trace) == attempts(&traces[0])));
    });
}

async fn futures(seeds: std::ops::Range<u64>) -> Vec<String> {
    let mut traces = Vec::new();
    for seed in seeds {
        traces.push(trace(Some(seed)).await);
    }
    traces
}

/// T3: tokio's paused time and the kit's time agree.
#[tokio::test(start_paused = true)]
async fn tokio_time_in_a_job_agrees_with_the_kit() -> TestResult {
    let kit = TestKit::new(jobs![tokio_sleep]).build()?;
    kit.queue().enqueue(tokio_sleep::new()).delay(Duration::from_secs(3600)).await?;
    let before = kit.now();

    kit.run_until_idle().await?.expect_success();

    assert_eq!(kit.now().since(before), Duration::from_secs(3700));
    Ok(())
}

/// T3: the lease of a running job is renewed, however long it runs.
#[test]
fn a_long_job_keeps_its_lease() -> TestResult {
    #[background_job]
    async fn long(#[inject] context: &JobContext) {
        context.sleep(Duration::from_secs(3600)).await; // virtual
    }
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![long]).build()?;
        kit.queue().enqueue(long::new()).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts().len(), 1);
        kit.assert_completed(&long::new());
        Ok(())
    })
}

/// T4: a run ends when nothing is due within its horizon, and reports the waiting jobs.
#[test]
fn a_run_reports_waiting_jobs() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![send_welcome]).horizon(Duration::from_secs(60)).build()?;
        kit.queue().enqueue(send_welcome::new(1, "now")).await?;
        kit.queue().enqueue(send_welcome::new(2, "later")).delay(Duration::from_secs(61)).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts().len(), 1);
        assert_eq!(run.waiting().len(), 1);
        assert_eq!(kit.run_for(Duration::from_secs(61)).await?.attempts().len(), 1);
        Ok(())
    })
}

/// T3, T4: `run_for` also runs jobs that are due at its very end, and leaves the clock there, with or without due jobs.
#[test]
fn a_run_for_a_time_lasts_for_that_time() -> TestResult {
    queue_testkit::block_on(async {
        let minute = Duration::from_secs(60);
        let kit = TestKit::new(jobs![send_welcome]).build()?;
        kit.queue().enqueue(send_welcome::new(1, "at the end")).delay(minute).await?;
        let began = kit.now();

        let run = kit.run_for(minute).await?;
        assert_eq!((run.attempts().len(), kit.now().since(began)), (1, minute));

        let run = kit.run_for(minute).await?;
        assert_eq!((run.attempts().len(), kit.now().since(began)), (0, minute * 2));
        Ok(())
    })
}

/// T4: the limit stops an endless chain, with an error that names it.
#[test]
fn an_endless_chain_is_stopped() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![chain_for_ever]).limit(50).build()?;
        kit.queue().enqueue(chain_for_ever::new()).await?;

        let error = kit.run_until_idle().await.unwrap_err();

        let text = error.to_string();
        assert!(
            text.contains("still not idle after 50 attempts") && text.contains("chain_for_ever"),
            "{text}"
        );
        assert_eq!(format!("{error:?}"), text, "`main` and tests print `Debug`");
        Ok(())
    })
}

/// T4: the error of a job that is tried again for too long has the job's last error.
#[test]
fn the_last_error_of_an_endless_job_is_named() -> TestResult {
    queue_testkit::block_on(async {
        #[background_job(max_attempts = 1_000)]
        async fn unlucky() -> Result<(), &'static str> {
            Err("it rained")
        }
        let kit = TestKit::new(jobs![unlucky]).limit(3).build()?;
        kit.queue().enqueue(unlucky::new()).await?;

        let error = kit.run_until_idle().await.unwrap_err();

        let said = "waiting: unlucky (retryable, attempt 3, last error: it rained)";
        assert!(error.to_string().ends_with(said), "{error}");
        Ok(())
    })
}

/// T4: a job that the kit does not know ends the run.
#[test]
fn a_job_that_is_not_listed_ends_the_run() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![chain_for_ever]).build()?;
        kit.queue().enqueue(send_welcome::new(1, "hello")).await?;

        let error = kit.run_until_idle().await.unwrap_err();

        let said = "no job is called `send_welcome`: add it to the `jobs![..]` of the kit";
        assert_eq!(format!("{error:?}"), said);
        Ok(())
    })
}

/// T5: a payload that cannot be read back fails in the test, as it would in production.
#[test]
fn payloads_are_encoded_and_decoded() -> TestResult {
    #[background_job]
    async fn unwritten(#[serde(skip_serializing)] value: u64) {
        let _ = value;
    }
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![unwritten]).build()?;
        kit.queue().enqueue(unwritten::new(7)).await?;

        let run = kit.run_until_idle().await?;

        assert!(run.attempts()[0].outcome.failure().is_some(), "a field that is not written is missing");
        Ok(())
    })
}

/// T7: a failed assertion shows the nearest job, field by field.
#[test]
fn a_failed_assertion_shows_the_nearest_job() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![send_welcome]).build()?;
        kit.queue().enqueue(send_welcome::new(41, "hello")).await?;
        kit.queue().enqueue(send_welcome::new(1, "goodbye")).await?;

        assert_enqueued!(kit, send_welcome { user_id: 41, .. });
        refute_enqueued!(kit, send_welcome { user_id: 41, template: "goodbye" });
        let text = panic_of(|| assert_enqueued!(kit, send_welcome { user_id: 42, template: "hello" }));
        assert!(text.contains("no unfinished `send_welcome` is"), "{text}");
        assert!(text.contains("the nearest of 2 is available"), "{text}");
        assert!(
            text.contains("user_id: expected 42, is 41") && !text.contains("template: expected"),
            "{text}"
        );
        let text = panic_of(|| kit.assert_completed(&send_welcome::new(41, "hello")));
        assert!(text.contains("state: expected completed, is available"), "{text}");
        Ok(())
    })
}

fn panic_of(assertion: impl FnOnce()) -> String {
    let panic =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion)).expect_err("it should have failed");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

/// T12: the kit needs no runtime; a job's timeout passes in virtual time.
#[test]
fn the_kit_needs_no_runtime() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![send_welcome]).build()?;
        kit.queue().enqueue(send_welcome::new(1, "x")).delay(Duration::from_secs(5)).await?;
        let before = kit.clock().now();

        kit.run_until_idle().await?.expect_success();

        assert_eq!(kit.now().since(before), Duration::from_secs(5));
        Ok(())
    })
}

/// T12: the kit also works in a runtime with several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kit_works_in_a_runtime_with_threads() -> TestResult {
    let kit = TestKit::new(jobs![send_welcome]).build()?;
    kit.queue().enqueue(send_welcome::new(1, "x")).delay(Duration::from_secs(5)).await?;
    kit.run_until_idle().await?.expect_success();
    kit.assert_completed(&send_welcome::new(1, "x"));
    Ok(())
}

/// T13: `enqueued_by` returns exactly the jobs that the block enqueued and that are unfinished.
#[test]
fn enqueued_by_returns_only_the_jobs_of_the_block() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![send_welcome]).build()?;
        kit.queue().enqueue(send_welcome::new(1, "before")).await?;

        let enqueued =
            kit.enqueued_by(async { kit.queue().enqueue(send_welcome::new(2, "inside")).await }).await;

        assert_eq!(enqueued.of::<send_welcome>(), [send_welcome::new(2, "inside")]);
        kit.run_until_idle().await?;
        assert!(kit.all_enqueued::<send_welcome>().is_empty(), "finished jobs are not enqueued");
        Ok(())
    })
}

/// T14: a recorder waits for the event, and reports the events so far when its deadline passes.
#[tokio::test(start_paused = true)]
async fn a_recorder_that_times_out_reports_the_events() -> TestResult {
    let recorder = Recorder::new();
    let kit = TestKit::new(jobs![send_welcome]).observe(recorder.clone()).build()?;
    kit.queue().enqueue(send_welcome::new(1, "x")).await?;
    kit.run_until_idle().await?;
    recorder.wait_for_ended::<send_welcome>(1).await;

    let waiter = tokio::spawn(async move { recorder.wait_for_ended::<send_welcome>(2).await });
    let panic = waiter.await.unwrap_err().into_panic();

    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("2 ended attempts of `send_welcome` (1 of 2 recorded)") && text.contains("Ended"),
        "{text}"
    );
    Ok(())
}

/// T15: `expect_success` fails with the errors of all attempts that failed.
#[test]
fn expect_success_shows_every_error() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![flaky]).singleton_as(Arc::new(Seen::default())).build()?;
        kit.queue().enqueue_all([flaky::new(1), flaky::new(2)]).await?;
        let run = kit.run_until_idle().await?;

        let text = panic_of(|| run.expect_success());

        assert!(text.starts_with("3 of 5 attempts did not succeed:"), "{text}");
        assert_eq!(text.matches("failure: flaky → retry at").count(), 3, "{text}");
        Ok(())
    })
}

/// T15: cancelled and snoozed jobs have not succeeded either.
#[test]
fn expect_success_fails_for_cancelled_and_snoozed_jobs() -> TestResult {
    #[background_job]
    async fn end_early(how: &str, #[inject] context: &JobContext) -> Result<(), JobError> {
        match how {
            "snooze" if context.fence().0 == 1 => Err(JobError::snooze(Duration::from_secs(1))),
            "cancel" => Err(JobError::cancel("not needed")),
            _ => Ok(()),
        }
    }
    queue_testkit::block_on(async {
        for (how, line) in [("snooze", "snooze for 1s"), ("cancel", "cancel: not needed")] {
            let kit = TestKit::new(jobs![end_early]).build()?;
            kit.queue().enqueue(end_early::new(how)).await?;
            let run = kit.run_until_idle().await?;

            let text = panic_of(|| run.expect_success());

            assert!(text.contains("1 of") && text.contains(line), "{text}");
        }
        Ok(())
    })
}
