//! The results of jobs, from the function to the handle.

use std::time::Duration;

use queue_core::admin::AttemptError;
use queue_core::{
    Admin as _, Ended, JobError, JobHandle, NewJob, QueueErrorKind, QueueExt as _, State, StoredResult,
    background_job, jobs,
};
use queue_testkit::TestKit;
use serde::{Deserialize, Serialize};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    url: String,
    pages: u32,
}

#[background_job(max_attempts = 2, backoff = fixed("1s"))]
async fn build(year: u32) -> Result<Report, JobError> {
    match year {
        0 => Err(JobError::permanent("no such year")),
        1 => Err(JobError::cancel("not needed")),
        _ => Ok(Report { url: format!("/reports/{year}"), pages: 3 }),
    }
}

#[background_job(blocking)]
fn count(words: &[String]) -> Result<usize, std::num::ParseIntError> {
    Ok(words.len())
}

#[background_job]
async fn ping() {}

#[background_job]
async fn look_up(found: bool) -> Result<Option<u8>, JobError> {
    Ok(found.then_some(7))
}

#[background_job]
async fn divide(by: f64) -> Result<f64, JobError> {
    Ok(1.0 / by)
}

/// H46
#[test]
fn a_handle_returns_the_end_of_its_job() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![build]).build()?;
        let completed = kit.queue().enqueue(build::new(2026)).await?.handle();
        let failed = kit.queue().enqueue(build::new(0)).await?.handle();
        let cancelled = kit.queue().enqueue(build::new(1)).await?.handle();
        assert_eq!(completed.ended(kit.queue(), Duration::ZERO).await?, Ended::NotYet(State::Available));

        kit.run_until_idle().await?;

        let report = Report { url: "/reports/2026".to_owned(), pages: 3 };
        assert_eq!(completed.ended(kit.queue(), Duration::MAX).await?, Ended::Completed(report));
        let Ended::Discarded(errors) = failed.ended(kit.queue(), Duration::MAX).await? else {
            panic!("it failed")
        };
        assert_eq!(
            errors.iter().map(|AttemptError { message, .. }| &**message).collect::<Vec<_>>(),
            ["no such year"]
        );
        assert_eq!(
            cancelled.ended(kit.queue(), Duration::MAX).await?,
            Ended::Cancelled("not needed".to_owned())
        );
        kit.queue().delete(completed.id()).await?;
        assert_eq!(completed.ended(kit.queue(), Duration::MAX).await?, Ended::Gone);
        Ok(())
    })
}

#[test]
fn a_handle_by_id_is_that_of_the_job() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![build, count]).build()?;
        let id = kit.queue().enqueue(build::new(7)).await?.id();
        kit.run_until_idle().await?;

        let handle = JobHandle::<build>::new(id);

        assert!(matches!(
            handle.ended(kit.queue(), Duration::ZERO).await?,
            Ended::Completed(Report { pages: 3, .. })
        ));
        let error = JobHandle::<count>::new(id).ended(kit.queue(), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        assert!(error.to_string().ends_with("is a `build`, not a `count`"), "{error}");
        Ok(())
    })
}

/// H46
#[test]
fn a_result_of_another_type_is_an_error_that_names_type_and_place() -> TestResult {
    queue_testkit::block_on(async {
        // An earlier version of the program returned something else.
        #[background_job(name = "build")]
        async fn build_before() -> Result<serde_json::Value, JobError> {
            Ok(serde_json::json!({ "url": "secret", "pages": "three" }))
        }
        let kit = TestKit::new(jobs![build_before]).build()?;
        let id = kit.queue().enqueue(build_before::new()).await?.id();
        kit.run_until_idle().await?;

        let ended = JobHandle::<build>::new(id).ended(kit.queue(), Duration::ZERO).await;

        let error = ended.unwrap_err();
        assert_eq!(error.kind(), QueueErrorKind::Corrupt);
        let text = queue_core::backend::error_chain(&error);
        assert!(
            text.contains("Report`") && text.contains("pages: invalid type: string, expected u32"),
            "{text}"
        );
        assert!(!text.contains("secret") && !text.contains("three"), "{text}");
        Ok(())
    })
}

#[test]
fn a_missing_result_is_null_for_a_type_that_takes_it() -> TestResult {
    queue_testkit::block_on(async {
        #[background_job(name = "look_up")]
        async fn look_up_before() {}
        let kit = TestKit::new(jobs![look_up_before, ping]).build()?;
        let id = kit.queue().enqueue(look_up_before::new()).await?.id();
        let ping = kit.queue().enqueue(ping::new()).await?.handle();
        kit.run_until_idle().await?;

        assert_eq!(
            JobHandle::<look_up>::new(id).ended(kit.queue(), Duration::ZERO).await?,
            Ended::Completed(None)
        );
        assert_eq!(ping.ended(kit.queue(), Duration::ZERO).await?, Ended::Completed(()));
        let record = kit.queue().get(ping.id()).await?.expect("the job is kept");
        assert_eq!(record.result, None, "a job that returns nothing stores nothing");
        Ok(())
    })
}

#[test]
fn blocking_jobs_and_closures_have_results_too() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![count]).build()?;
        let counted = kit.queue().enqueue(count::new(vec!["a".to_owned(), "b".to_owned()])).await?.handle();
        let called = kit.queue().enqueue(NewJob::call(async |_| Ok::<_, JobError>(7))).await?.id();

        kit.run_until_idle().await?.expect_success();

        assert_eq!(counted.ended(kit.queue(), Duration::ZERO).await?, Ended::Completed(2));
        let record = kit.queue().get(called).await?.expect("the job is kept");
        assert_eq!(record.result.as_ref().map(StoredResult::as_str), Some("7"));
        Ok(())
    })
}

#[test]
fn a_result_that_json_lacks_discards_the_job() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![divide]).build()?;
        let divided = kit.queue().enqueue(divide::new(0.0)).await?.handle();

        kit.run_until_idle().await?;

        let Ended::Discarded(errors) = divided.ended(kit.queue(), Duration::ZERO).await? else {
            panic!("infinity is no JSON")
        };
        assert!(errors[0].message.contains("NaN or infinite"), "{errors:?}");
        Ok(())
    })
}
