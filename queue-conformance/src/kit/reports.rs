//! The reports of a kit: jobs, attempts, assertions and events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use queue_core::{Admin as _, JobRecord, NewJob, QueueExt as _, jobs};
use queue_testkit::{Recorder, TestKit, assert_enqueued, refute_enqueued};

use super::harness::KitHarness;
use super::jobs::{end_somehow, flaky, send_welcome, unwritten};
use crate::law::{expect_eq, panic_text};

/// A payload that can't be read back fails in the test, as in production.
pub(super) async fn t5_payloads_are_encoded_and_decoded(harness: &KitHarness) {
    let kit = harness.kit(jobs![unwritten]).await;
    kit.queue().enqueue(unwritten::new(7)).await.expect("a push");

    let run = kit.run_until_idle().await.expect("a run");

    assert!(run.attempts()[0].outcome.failure().is_some(), "a field that is not written is missing");
}

/// Jobs end in the same states, after the same attempts and errors, as in the kit's own queue.
pub(super) async fn t6_jobs_end_as_they_do_in_the_model(harness: &KitHarness) {
    let over = harness.kit(jobs![end_somehow]).await;
    let model = TestKit::new(jobs![end_somehow]).build().expect("a kit");
    let (mut traces, mut ends) = (Vec::new(), Vec::new());
    for kit in [&over, &model] {
        kit.queue().enqueue_all((0..12).map(end_somehow::new)).await.expect("a push");
        traces.push(kit.run_until_idle().await.expect("a run").trace());
        ends.push(kit.jobs().iter().map(end).collect::<Vec<_>>());
    }

    expect_eq!(traces[0], traces[1], "the trace over the store, and that of the model");
    expect_eq!(ends[0], ends[1], "the jobs of the store, and those of the model");
}

fn end(job: &JobRecord) -> String {
    let errors: Vec<_> = job.errors.iter().map(|error| (error.attempt, &error.message)).collect();
    format!(
        "{} attempt {} of {}: {errors:?} {:?}",
        job.state, job.attempt, job.max_attempts, job.cancel_reason
    )
}

/// A failed assertion shows the nearest job, field by field.
pub(super) async fn t7_a_failed_assertion_shows_the_nearest_job(harness: &KitHarness) {
    let kit = harness.kit(jobs![send_welcome]).await;
    kit.queue().enqueue(send_welcome::new(41, "hello")).await.expect("a push");
    kit.queue().enqueue(send_welcome::new(1, "goodbye")).await.expect("a push");

    assert_enqueued!(kit, send_welcome { user_id: 41, .. });
    refute_enqueued!(kit, send_welcome { user_id: 41, template: "goodbye" });
    let text = panic_of(|| assert_enqueued!(kit, send_welcome { user_id: 42, template: "hello" }));
    for part in
        ["no unfinished `send_welcome` is", "the nearest of 2 is available", "user_id: expected 42, is 41"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let text = panic_of(|| kit.assert_completed(&send_welcome::new(41, "hello")));
    assert!(text.contains("state: expected completed, is available"), "{text}");
}

/// A failed job, exported, runs again over the store as its last attempt.
pub(super) async fn t11_a_failed_job_replays(harness: &KitHarness) {
    let production = harness.kit(jobs![flaky]).await;
    let job = NewJob::from(flaky::new(2)).max_attempts(2).meta("tenant", "acme");
    let id = production.queue().enqueue(job).await.expect("a push").id();
    production.run_until_idle().await.expect("a run");
    let record = production.queue().get(id).await.expect("a read").expect("a job");

    let kit = harness.kit(jobs![flaky]).await;
    let attempt = kit.replay(&record.export().expect("an export")).await.expect("a replay");

    expect_eq!((attempt.facts.id, attempt.facts.attempt), (id, 2));
    expect_eq!(attempt.outcome.failure().map(|failure| failure.message.clone()), Some("flaky".to_owned()));
    expect_eq!(kit.jobs()[0].errors.len(), 2);
}

/// `enqueued_by` returns exactly the unfinished jobs that the block enqueued.
pub(super) async fn t13_enqueued_by_sees_the_jobs_of_the_block(harness: &KitHarness) {
    let kit = harness.kit(jobs![send_welcome]).await;
    kit.queue().enqueue(send_welcome::new(1, "before")).await.expect("a push");

    let block =
        async { kit.queue().enqueue(send_welcome::new(2, "inside")).delay(Duration::from_secs(9)).await };
    let enqueued = kit.enqueued_by(block).await;

    expect_eq!(enqueued.of::<send_welcome>(), [send_welcome::new(2, "inside")]);
    kit.run_until_idle().await.expect("a run");
    expect_eq!(kit.all_enqueued::<send_welcome>(), [], "finished jobs are not enqueued");
}

/// A recorder receives the events of the attempts.
pub(super) async fn t14_a_recorder_waits_for_events(harness: &KitHarness) {
    let recorder = Recorder::new();
    let kit = harness.kit_with(jobs![send_welcome], |kit| kit.observe(recorder.clone())).await;
    kit.queue().enqueue(send_welcome::new(1, "x")).await.expect("a push");

    kit.run_until_idle().await.expect("a run");

    expect_eq!(recorder.wait_for_ended::<send_welcome>(1).await.len(), 1);
}

/// `expect_success` fails with the errors of all attempts that failed.
pub(super) async fn t15_expect_success_shows_every_error(harness: &KitHarness) {
    let kit = harness.kit(jobs![flaky]).await;
    kit.queue().enqueue_all([flaky::new(1), flaky::new(2)]).await.expect("a push");
    let run = kit.run_until_idle().await.expect("a run");

    let text = panic_of(|| run.expect_success());

    assert!(text.starts_with("3 of 5 attempts did not succeed:"), "{text}");
    expect_eq!(text.matches("failure: flaky → retry at +").count(), 3, "errors in\n{text}");
}

fn panic_of(assertion: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(assertion)).expect_err("it should have failed"))
}
