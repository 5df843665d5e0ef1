//! A run that is not the same each time is told, with the job that is to blame.

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
async fn by_the_wall(#[inject] context: &JobContext) {
    context.then(note::new(format!("{:?}", SystemTime::now())));
}

async fn kit<J: queue_core::Job>(job: J) -> Result<TestKit, BoxError> {
    let kit = TestKit::new(jobs![note, steady, by_the_wall]).build()?;
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
    let error = block_on(assert_deterministic(async || kit(by_the_wall::new()).await)).unwrap_err();

    let text = error.to_string();
    assert!(text.contains("job 2, `note`"), "{text}");
    assert!(text.contains("`JobContext::now`"), "{text}");
}

#[test]
fn a_set_up_that_fails_says_so() {
    let error =
        block_on(assert_deterministic(async || Err::<TestKit, BoxError>("no bank".into()))).unwrap_err();

    assert!(matches!(&error, NonDeterministic::SetUp(source) if source.to_string() == "no bank"), "{error}");
}

#[test]
fn a_job_that_is_there_the_second_time_alone_is_a_difference() {
    let times = AtomicU32::new(0);

    let error = block_on(assert_deterministic(async || {
        let kit = kit(note::new("the same")).await?;
        if times.fetch_add(1, Ordering::SeqCst) > 0 {
            // So far ahead that it isn't run, and is all that differs.
            kit.queue().enqueue(note::new("more")).delay(Duration::from_secs(100 * 24 * 3600)).await?;
        }
        Ok(kit)
    }))
    .unwrap_err();

    let text = error.to_string();
    assert!(text.contains("once:  there was no such thing") && text.contains("more"), "{text}");
}
