//! Tests that extreme durations and numbers behave as documented, without a panic.

use std::time::Duration;

use queue_core::{
    Body, Job as _, JobContext, JobError, Limits, NewJob, Outcome, Queue as _, QueueErrorKind, QueueExt as _,
    State, Timestamp, Unique, background_job, jobs,
};
use queue_testkit::{TestKit, block_on};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const ENDS: [Duration; 3] = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];

#[background_job(
    timeout = "18446744073709551615s",
    max_attempts = 4_294_967_295,
    priority = -2_147_483_648,
    backoff = exponential("1ns", "18446744073709551615s"),
    unique(within = "18446744073709551615s")
)]
async fn fail_for_ages(#[inject] context: &JobContext) -> Result<(), String> {
    Err(format!("attempt {}", context.attempt()))
}

#[background_job(timeout = "1ns", max_attempts = 1, priority = 2_147_483_647, backoff = fixed("18446744073709551615s"))]
async fn hurry() {}

/// H3: attributes with extreme values bound a job as any others do.
#[test]
fn a_job_with_extreme_options_runs_and_is_retried() -> TestResult {
    block_on(async {
        let kit = TestKit::new(jobs![fail_for_ages, hurry]).build()?;

        kit.queue().enqueue(hurry::new()).await?;
        let hurried = kit.step().await?.ok_or("no job")?;
        kit.queue().enqueue(fail_for_ages::new()).await?;
        let failed = kit.step().await?.ok_or("no second job")?;

        assert!(matches!(failed.outcome, Outcome::Failure(_)), "{failed:?}");
        assert_eq!(hurried.outcome, Outcome::Success, "a job that never waits ends within any timeout");
        let job =
            kit.jobs().into_iter().find(|job| job.name.as_str() == "fail_for_ages").ok_or("it is gone")?;
        assert_eq!((job.attempt, job.max_attempts, job.priority), (1, u32::MAX, i32::MIN));
        assert_eq!((job.state, job.run_at), (State::Available, kit.now()), "a wait of 1 ns at most is none");
        assert!(format!("{:?}", fail_for_ages::options()).contains("18446744073709551615s"));
        Ok(())
    })
}

#[background_job(timeout = "1s", max_attempts = 1)]
async fn rest(#[inject] context: &JobContext, time: Duration) {
    context.sleep(time).await; // virtual
}

/// H3: the longest sleep ends at the timeout, the shortest at once.
#[test]
fn an_endless_sleep_ends_at_the_timeout() -> TestResult {
    block_on(async {
        for time in ENDS {
            let kit = TestKit::new(jobs![rest]).build()?;
            kit.queue().enqueue(rest::new(time)).await?;

            let attempt = kit.step().await?.ok_or("no job")?;

            let is_endless = time == Duration::MAX;
            assert_eq!(attempt.outcome == Outcome::Success, !is_endless, "{time:?}: {attempt:?}");
            assert_eq!(attempt.ended_at.since(attempt.started_at).as_secs(), u64::from(is_endless));
        }
        Ok(())
    })
}

#[background_job(max_attempts = 2)]
async fn ask_for_later(wait: Duration, is_failure: bool) -> Result<(), JobError> {
    if is_failure { Err(JobError::retry_in(wait, "not yet")) } else { Err(JobError::snooze(wait)) }
}

/// A wait of zero is over at once. A wait past the last instant saturates: the job waits for an operator.
#[test]
fn a_wait_past_the_last_instant_saturates() -> TestResult {
    block_on(async {
        for (wait, is_failure) in ENDS.into_iter().flat_map(|wait| [(wait, true), (wait, false)]) {
            let kit = TestKit::new(jobs![ask_for_later]).build()?;
            kit.queue().enqueue(ask_for_later::new(wait, is_failure)).await?;

            kit.step().await?;

            let job = kit.jobs().remove(0);
            let run_at = if wait == Duration::MAX { Timestamp::MAX } else { kit.now() };
            assert_eq!(job.run_at, run_at, "{wait:?}, a failure: {is_failure}");
            assert_eq!(job.attempt, u32::from(is_failure), "{wait:?}");
            assert_eq!(kit.step().await?.is_some(), wait != Duration::MAX, "{wait:?}");
        }
        Ok(())
    })
}

/// Q2: extreme values in a builder are stored, or refused as `Invalid`.
#[test]
fn a_builder_stores_or_refuses_extreme_values() -> TestResult {
    let job = || NewJob::from(hurry::new());
    let table: [(&str, NewJob, Option<State>); 13] = [
        ("no delay", job().delay(Duration::ZERO), Some(State::Available)),
        ("the shortest delay", job().delay(Duration::from_nanos(1)), Some(State::Available)),
        ("the longest delay", job().delay(Duration::MAX), None),
        ("the first instant", job().at(Timestamp::from_micros(i64::MIN)), Some(State::Available)),
        ("the last instant", job().at(Timestamp::MAX), Some(State::Scheduled)),
        ("no attempts", job().max_attempts(0), None),
        ("most attempts", job().max_attempts(u32::MAX), Some(State::Available)),
        ("the first priority", job().priority(i32::MIN), Some(State::Available)),
        ("the last priority", job().priority(i32::MAX), Some(State::Available)),
        ("no window", job().unique(Unique::new("a").within(Duration::ZERO)), Some(State::Available)),
        ("the longest window", job().unique(Unique::new("b").within(Duration::MAX)), Some(State::Available)),
        ("the longest key", job().unique("c".repeat(Limits::UNIQUE_KEY)), Some(State::Available)),
        ("a longer key", job().unique("d".repeat(Limits::UNIQUE_KEY + 1)), None),
    ];
    block_on(async {
        let kit = TestKit::new(jobs![hurry]).build()?;
        for (case, job, expected) in table {
            let fluent = kit.queue().enqueue(job.clone()).await;
            let pushed = kit.queue().push(vec![job]).await;

            let state = |id| kit.jobs().into_iter().find(|job| job.id == id).map(|job| job.state);
            match (fluent, pushed) {
                (Ok(fluent), Ok(pushed)) => {
                    assert_eq!(state(fluent.id()), expected, "{case}");
                    assert_eq!(state(pushed.first().ok_or("no receipt")?.id()), expected, "{case}");
                }
                (Err(fluent), Err(pushed)) => {
                    assert_eq!(
                        (fluent.kind(), expected),
                        (QueueErrorKind::Invalid, None),
                        "{case}: {fluent}"
                    );
                    assert_eq!(pushed.kind(), QueueErrorKind::Invalid, "{case}: {pushed}");
                }
                differing => panic!("{case}: {differing:?}"),
            }
        }
        Ok(())
    })
}

/// Q2: a limit may be the maximum of its type, or zero.
#[test]
fn a_limit_may_be_zero_or_the_maximum() {
    let jobs = [NewJob::new("job", Body::stored("null"))];

    assert!(Limits::default().payload(usize::MAX).check(&jobs).is_ok());
    let refused = Limits::default().payload(0).check(&jobs).unwrap_err();
    assert!(refused.to_string().contains("has 4 bytes, the limit is 0"), "{refused}");
}
