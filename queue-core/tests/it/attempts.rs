//! Tests the attempt pipeline: the outcome of a job, and the transition that follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::backend::Attempt;
use queue_core::services::Services;
use queue_core::{
    Body, CancellationToken, Event, Failure, FailureCause, JobContext, JobError, Limits, NewJob, Outcome,
    Queue as _, QueueExt as _, State, Transition, background_job, jobs,
};
use queue_testkit::{Recorder, TestKit};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job(backoff = fixed("10s"), max_attempts = 3)]
async fn end_as(how: &str) -> Result<(), JobError> {
    match how {
        "succeed" => Ok(()),
        "fail" => Err("it rained".into()),
        "panic" => panic!("it hailed"),
        "permanent" => Err(JobError::permanent("it froze")),
        "retry_in" => Err(JobError::retry_in(Duration::from_secs(77), "try later")),
        "cancel" => Err(JobError::cancel("not needed")),
        other => Err(JobError::permanent(format!("what is {other}?"))),
    }
}

#[background_job]
async fn snooze_twice(#[inject] left: &AtomicU32) -> Result<(), JobError> {
    if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return Err(JobError::snooze(Duration::from_secs(60)));
    }
    Ok(())
}

#[background_job(timeout = "30s", max_attempts = 1)]
async fn wait_for_ever() {
    std::future::pending::<()>().await;
}

#[background_job(blocking)]
fn block(#[inject] seen: &AtomicU32, by: u32) -> Result<(), JobError> {
    if by == 0 {
        panic!("blocked by nothing");
    }
    seen.fetch_add(by, Ordering::SeqCst);
    Ok(())
}

#[background_job(max_attempts = 1)]
async fn ramble(how: &str) -> Result<(), JobError> {
    let text = "so ".repeat(1 << 14);
    match how {
        "panic" => panic!("{text}"),
        "cancel" => Err(JobError::cancel(text)),
        _ => Err(text.into()),
    }
}

#[background_job]
async fn last() {}

#[background_job(max_attempts = 2, backoff = fixed("1s"))]
async fn first(#[inject] context: &JobContext, fail: bool) -> Result<(), JobError> {
    context.then(last::new());
    if fail && context.attempt() == 1 {
        Err("not yet")?;
    }
    Ok(())
}

fn kit() -> TestKit {
    TestKit::new(jobs![end_as]).build().unwrap()
}

/// Q35, H6: each outcome leads to the transition of `decide`, and the history has the error.
#[test]
fn each_outcome_leads_to_its_transition() -> TestResult {
    queue_testkit::block_on(async {
        let table = [
            ("succeed", State::Completed, 1, None),
            ("fail", State::Discarded, 3, Some("it rained")),
            ("permanent", State::Discarded, 1, Some("it froze")),
            ("retry_in", State::Discarded, 3, Some("try later")),
            ("cancel", State::Cancelled, 1, None),
        ];
        for (how, state, attempts, error) in table {
            let kit = kit();
            kit.queue().enqueue(end_as::new(how)).await?;

            let run = kit.run_until_idle().await?;

            let job = kit.jobs().remove(0);
            assert_eq!((job.state, run.attempts().len()), (state, attempts), "{how}\n{}", run.trace());
            assert_eq!(job.errors.last().map(|error| error.message.as_str()), error, "{how}");
        }
        Ok(())
    })
}

/// H2: a panic is a failed attempt, with its message and location.
#[test]
fn a_panic_fails_the_attempt_with_its_message_and_location() -> TestResult {
    queue_testkit::block_on(async {
        let kit = kit();
        kit.queue().enqueue(end_as::new("panic")).await?;

        let attempt = kit.step().await?.unwrap();

        let failure = attempt.outcome.failure().unwrap().clone();
        assert_eq!(failure.cause, FailureCause::Panic);
        assert!(failure.message.starts_with("panicked: it hailed, at "), "{failure}");
        assert!(failure.message.contains("attempts.rs:"), "{failure}");
        Ok(())
    })
}

/// Q33: a snooze does not count as an attempt.
#[test]
fn a_snoozed_job_keeps_its_attempt_number() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![snooze_twice]).singleton(AtomicU32::new(2)).build()?;
        kit.queue().enqueue(snooze_twice::new()).await?;

        let run = kit.run_until_idle().await?;

        let attempts: Vec<_> = run.attempts().iter().map(|attempt| attempt.facts.attempt).collect();
        assert_eq!(attempts, [1, 1, 1]);
        kit.assert_completed(&snooze_twice::new());
        Ok(())
    })
}

/// H3: an attempt that exceeds its timeout fails as timed out, in virtual time.
#[test]
fn an_attempt_past_its_timeout_is_dropped_and_fails() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![wait_for_ever]).build()?;
        kit.queue().enqueue(wait_for_ever::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.outcome.failure().unwrap().cause, FailureCause::Timeout);
        assert_eq!(attempt.outcome.failure().unwrap().message, "timed out after 30s");
        assert_eq!(attempt.ended_at.since(attempt.started_at), Duration::from_secs(30));
        Ok(())
    })
}

/// Q92: the attempt cuts a long text, so it is neither logged nor passed on.
#[test]
fn an_attempt_cuts_a_long_error_before_it_is_logged_or_settled() -> TestResult {
    queue_testkit::block_on(async {
        let recorder = Recorder::new();
        let kit = TestKit::new(jobs![ramble]).observe(recorder.clone()).build()?;
        for how in ["fail", "panic", "cancel"] {
            kit.queue().enqueue(ramble::new(how)).await?;
        }

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts().len(), 3);
        for event in recorder.events() {
            let Event::Ended { outcome, .. } = event else { continue };
            let (Outcome::Failure(Failure { message: text, .. }) | Outcome::Cancel(text)) = outcome else {
                panic!("a job that rambled ended otherwise");
            };
            assert!(text.len() <= Limits::TEXT && text.ends_with(" bytes)"), "{} bytes", text.len());
        }
        Ok(())
    })
}

/// H8: an undecodable payload is discarded with serde's path, the job's fields, and its bytes.
#[test]
fn an_undecodable_payload_is_discarded_with_its_path_and_kept() -> TestResult {
    queue_testkit::block_on(async {
        let kit = kit();
        kit.queue().push(vec![NewJob::new("end_as", Body::json(r#"{"how":7}"#)?)]).await?;

        kit.run_until_idle().await?;

        let job = kit.jobs().remove(0);
        assert_eq!(job.state, State::Discarded);
        assert_eq!(
            job.errors[0].message,
            "the payload is not what `end_as` takes: how: invalid type: integer, expected a string at line 1 \
             column 8; it takes { how: String }"
        );
        assert_eq!(&*job.body.encode()?, r#"{"how":7}"#);
        Ok(())
    })
}

/// H24: a followup is stored with the completion, and not stored with a failure.
#[test]
fn a_followup_is_stored_with_the_completion_only() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![first, last]).build()?;
        kit.queue().enqueue(first::new(true)).await?;

        kit.step().await?;
        assert!(kit.all_enqueued::<last>().is_empty(), "the first attempt failed");
        let run = kit.run_until_idle().await?;

        assert_eq!((run.attempts_of::<first>(), run.attempts_of::<last>()), (1, 1));
        Ok(())
    })
}

/// H27: a blocking job runs, and its panic is a failure like any other.
#[test]
fn a_blocking_job_runs_and_may_panic() -> TestResult {
    queue_testkit::block_on(async {
        let seen = Arc::new(AtomicU32::new(0));
        let kit = TestKit::new(jobs![block]).singleton_as(seen.clone()).build()?;
        kit.queue().enqueue_all([block::new(2), block::new(0)]).await?;

        let run = kit.run_for(Duration::ZERO).await?;

        assert_eq!(seen.load(Ordering::SeqCst), 2);
        let failure = run.failures().next().unwrap().outcome.failure().unwrap().clone();
        assert!(failure.message.starts_with("panicked: blocked by nothing, at "), "{failure}");
        Ok(())
    })
}

#[background_job]
async fn ask_to_stop(
    #[inject] token: CancellationToken,
    #[inject] context: JobContext,
) -> Result<(), JobError> {
    Attempt::of(&context).interrupt().request(queue_core::InterruptReason::Shutdown);
    assert!(token.is_cancelled(), "the injected token is the attempt's");
    Err("stopped half-way".into())
}

/// H14: a failure after a stop request releases the job, and the attempt is not counted.
#[test]
fn a_failure_after_a_shutdown_request_is_not_counted() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![ask_to_stop]).build()?;
        kit.queue().enqueue(ask_to_stop::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.outcome, Outcome::Interrupted);
        let job = kit.jobs().remove(0);
        assert_eq!((job.state, job.attempt, job.fence.0), (State::Available, 0, 1));
        Ok(())
    })
}

#[background_job]
async fn commit_and_fail(#[inject] context: &JobContext) -> Result<(), JobError> {
    Attempt::of(context).note_completed();
    Err("the line was cut behind the commit".into())
}

/// D12: a completion that a unit of work has recorded stands, also if the job fails later.
#[test]
fn a_recorded_completion_stands() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![commit_and_fail]).build()?;
        kit.queue().enqueue(commit_and_fail::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!((attempt.outcome, attempt.transition), (Outcome::Success, Transition::complete()));
        Ok(())
    })
}

/// T16: kits share no state, so the same job in two kits is two jobs.
#[test]
fn two_kits_share_no_state() -> TestResult {
    queue_testkit::block_on(async {
        let (one, other) = (kit(), kit());
        one.queue().enqueue(end_as::new("succeed")).await?;

        assert!(other.step().await?.is_none());
        assert!(one.step().await?.is_some());
        Services::none().dispose().await.unwrap();
        Ok(())
    })
}

#[background_job(timeout = "30s", max_attempts = 1)]
async fn leave_something_behind(
    #[inject] token: CancellationToken,
    #[inject] left: &std::sync::Mutex<Vec<CancellationToken>>,
) {
    left.lock().unwrap().push(token);
    std::future::pending::<()>().await;
}

/// H3: the token tells tasks that a timed-out job left behind to stop.
#[test]
fn the_token_fires_at_the_timeout() -> TestResult {
    queue_testkit::block_on(async {
        let left = Arc::new(std::sync::Mutex::<Vec<CancellationToken>>::default());
        let kit = TestKit::new(jobs![leave_something_behind]).singleton_as(left.clone()).build()?;
        kit.queue().enqueue(leave_something_behind::new()).await?;

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.outcome.failure().unwrap().cause, FailureCause::Timeout);
        assert!(left.lock().unwrap()[0].is_cancelled());
        Ok(())
    })
}

#[background_job(timeout = "30s", max_attempts = 1)]
async fn wait_then_work(#[inject] context: &JobContext, waits: u64, works: u64) {
    for _ in 0..2 {
        let wait = context.sleep(Duration::from_secs(waits / 2)); // virtual
        context.waiting(wait).await;
        context.sleep(Duration::from_secs(works / 2)).await; // virtual
    }
}

/// H66: the time for which a job waits for a resource does not count towards its timeout; the time that it works does.
#[test]
fn the_timeout_is_paused_while_a_job_waits_for_a_resource() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![wait_then_work]).build()?;
        let table = [(0, 28, None), (600, 28, None), (0, 32, Some(30)), (600, 32, Some(630))];
        for (waits, works, times_out) in table {
            kit.queue().enqueue(wait_then_work::new(waits, works)).await?;

            let attempt = kit.step().await?.unwrap();

            let took = attempt.ended_at.since(attempt.started_at);
            let cause = attempt.outcome.failure().map(|failure| failure.cause);
            assert_eq!(cause, times_out.map(|_| FailureCause::Timeout), "{waits} s and {works} s: {took:?}");
            let late = times_out.map(|at| took.saturating_sub(Duration::from_secs(at)));
            assert!(
                late.is_none_or(|late| late < Duration::from_secs(1)),
                "{waits} s and {works} s: {took:?}"
            );
        }
        Ok(())
    })
}
