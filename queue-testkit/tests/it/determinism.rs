//! Non-deterministic runs are reported, with the job that causes the difference.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use queue_core::{BoxError, JobContext, QueueExt as _, background_job, jobs};
use queue_testkit::{NonDeterministic, TestKit, assert_deterministic, block_on};

#[background_job]
async fn note(text: &str) {
    let _: &str = text;
}

#[background_job]
async fn steady(#[inject] context: &JobContext) {
    context.then(note::new(context.now().to_string()));
}

#[background_job]
async fn by_the_wall_clock(#[inject] context: &JobContext) {
    context.then(note::new(format!("{:?}", SystemTime::now())));
}

async fn kit<J: queue_core::Job>(job: J) -> Result<TestKit, BoxError> {
    let kit = TestKit::new(jobs![note, steady, by_the_wall_clock]).build()?;
    kit.queue().enqueue(job).await?;
    Ok(kit)
}

#[test]
fn a_job_that_takes_its_time_from_its_context_is_the_same_each_time() {
    let run = block_on(assert_deterministic(async || kit(steady::new()).await)).unwrap();

    assert_eq!(run.attempts_of::<note>(), 1);
}

#[test]
fn a_job_that_asks_the_machine_for_the_time_is_named() {
    let error = block_on(assert_deterministic(async || kit(by_the_wall_clock::new()).await)).unwrap_err();

    let text = error.to_string();
    assert!(text.contains("job 2, `note`"), "{text}");
    assert!(text.contains("`JobContext::now`"), "{text}");
}

#[test]
fn an_error_of_the_set_up_is_returned() {
    let error =
        block_on(assert_deterministic(async || Err::<TestKit, BoxError>("no bank".into()))).unwrap_err();

    assert!(matches!(&error, NonDeterministic::SetUp(source) if source.to_string() == "no bank"), "{error}");
}

#[test]
fn a_job_only_in_the_second_run_is_a_difference() {
    let times = AtomicU32::new(0);

    let error = block_on(assert_deterministic(async || {
        let kit = kit(note::new("the same")).await?;
        if times.fetch_add(1, Ordering::SeqCst) > 0 {
            // A job so far ahead that it doesn't run. It is the only difference.
            kit.queue().enqueue(note::new("more")).delay(Duration::from_secs(100 * 24 * 3600)).await?;
        }
        Ok(kit)
    }))
    .unwrap_err();

    let text = error.to_string();
    assert!(text.contains("once:  there was no such thing") && text.contains("more"), "{text}");
}
