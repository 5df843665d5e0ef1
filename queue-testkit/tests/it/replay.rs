//! A job that failed in production fails again in a test (T11).

use queue_core::{Admin as _, JobContext, JobError, NewJob, QueueExt as _, background_job, jobs};
use queue_testkit::{KitError, TestKit, block_on};

#[background_job(max_attempts = 3)]
async fn bill(#[inject] context: &JobContext, order: u64, note: &str) -> Result<(), JobError> {
    let tenant = context.meta().get("tenant").unwrap_or("none").to_owned();
    Err(format!("{tenant}: order {order} ({note}) on attempt {} of {}", context.attempt(), context.id())
        .into())
}

#[test]
fn a_failed_job_replays_with_its_payload_its_meta_and_its_attempt() {
    block_on(async {
        let production = TestKit::new(jobs![bill]).build().unwrap();
        let job = NewJob::from(bill::new(7, "ß\n")).meta("tenant", "acme");
        let id = production.queue().enqueue(job).await.unwrap().id();
        production.run_until_idle().await.unwrap();
        let exported = production.queue().get(id).await.unwrap().unwrap().export().unwrap();

        let kit = TestKit::new(jobs![bill]).build().unwrap();
        let attempt = kit.replay(&exported).await.unwrap();

        let last = production.report().attempts().last().unwrap().clone();
        assert_eq!(attempt.outcome, last.outcome);
        assert_eq!((attempt.facts.attempt, attempt.facts.id), (3, id));
        let errors = |kit: &TestKit| {
            kit.jobs()[0].errors.iter().map(|error| error.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(errors(&kit), errors(&production));
    });
}

#[test]
fn a_text_that_is_no_exported_job_is_refused() {
    let kit = TestKit::new(jobs![bill]).build().unwrap();

    let refused = block_on(kit.replay("{}")).unwrap_err();

    assert!(
        matches!(&refused, KitError::Queue { operation: "replay", source } if source.to_string().contains("not an exported job"))
    );
}
