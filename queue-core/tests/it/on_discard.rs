//! Tests the jobs that are stored on a discard: their payload, and the kit's assertions on them.

use std::sync::Arc;

use queue_core::{Body, Discarded, JobError, NewJob, OnDiscard, QueueExt as _, State, background_job, jobs};
use queue_testkit::TestKit;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job(max_attempts = 2, backoff = fixed("1s"), on_discard = alert)]
async fn charge(order: u64, cents: u64) -> Result<(), String> {
    Err(format!("the card of order {order} was refused {cents} cents"))
}

#[background_job(max_attempts = 1)]
async fn refuse(order: u64) -> Result<(), String> {
    Err(format!("the card of order {order} was refused"))
}

#[derive(serde::Deserialize)]
struct Order {
    order: u64,
}

#[background_job(queue = "ops", max_attempts = 1)]
async fn alert(discarded: Discarded) -> Result<(), JobError> {
    let Order { order } = discarded.payload()?;
    if order == 13 { Err(JobError::permanent("the mail server does not answer")) } else { Ok(()) }
}

/// Q105: the job of a discard gets the discarded one by its parameter, with its payload and each error.
#[test]
fn a_job_takes_the_discarded_one() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![charge, alert]).build()?;
        kit.queue().enqueue(charge::new(7, 150)).meta("tenant", "acme").await?;

        let run = kit.run_until_idle().await?;

        assert_eq!((run.attempts_of::<charge>(), run.attempts_of::<alert>()), (2, 1));
        let discarded = kit.assert_on_discard(alert::new, &charge::new(7, 150));
        assert_eq!((discarded.attempt, discarded.max_attempts, discarded.errors.len()), (2, 2, 2));
        assert_eq!(discarded.last_error(), "the card of order 7 was refused 150 cents");
        kit.assert_completed(&alert::new(discarded));
        let jobs = kit.jobs();
        let stored = jobs.iter().find(|job| job.name.as_str() == "alert").ok_or("no alert")?;
        assert_eq!((stored.queue.as_str(), stored.max_attempts), ("ops", 1));
        assert_eq!(stored.meta.get("tenant"), Some("acme"));
        Ok(())
    })
}

/// Q105: the discard of a job that was stored on a discard stores nothing.
#[test]
fn the_discard_of_such_a_job_stores_nothing() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![charge, alert]).build()?;
        kit.queue().enqueue(charge::new(13, 1)).await?;

        kit.run_until_idle().await?;

        let alerts: Vec<_> = kit.jobs().into_iter().filter(|job| job.name.as_str() == "alert").collect();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0].state, State::Discarded);
        Ok(())
    })
}

/// Q105: the builder of a push sets the job of a discard, for jobs of any kind.
#[test]
fn the_job_of_a_discard_is_set_for_one_job() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![refuse, alert]).build()?;
        kit.queue().enqueue(refuse::new(7)).on_discard(alert::new).priority(1).await?;
        kit.queue().enqueue(refuse::new(8)).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!((run.attempts_of::<refuse>(), run.attempts_of::<alert>()), (2, 1));
        assert_eq!(kit.assert_on_discard(alert::new, &refuse::new(7)).name.as_str(), "refuse");
        Ok(())
    })
}

/// Q105, T7: a closure has no payload that a job could take.
#[test]
fn a_discarded_closure_has_the_payload_null() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![alert]).build()?;
        let failing = NewJob::call(async |_| Err::<(), _>(JobError::permanent("it froze")));
        kit.queue().enqueue(failing).on_discard(alert::new).await?;

        kit.step().await?;

        let job = kit.jobs().into_iter().find(|job| job.name.as_str() == "alert").ok_or("no alert")?;
        let alert { discarded } = job.body.decode()?;
        assert_eq!((discarded.name.as_str(), discarded.payload_json()), ("closure", "null"));
        Ok(())
    })
}

/// T7: a failed assertion on a discard shows the discards for which jobs were stored.
#[test]
fn a_failed_assertion_shows_the_handled_discards() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![charge, alert]).build()?;
        kit.queue().enqueue(charge::new(7, 150)).await?;
        let mut unhandled = NewJob::from(charge::new(8, 1));
        unhandled.on_discard = Some(Arc::new(OnDiscard::nothing()));
        kit.queue().enqueue(unhandled).await?;
        kit.run_until_idle().await?;

        let asserted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            kit.assert_on_discard(alert::new, &charge::new(8, 1))
        }));

        let panic = asserted.expect_err("no job was stored");
        let text = panic.downcast_ref::<String>().ok_or("a text")?;
        assert!(text.starts_with("no `alert` was stored for the discard of:\n  charge"), "{text}");
        assert!(
            text.contains(
                r#"it was stored for
  charge {"order":7,"cents":150}: the card of order 7"#
            ),
            "{text}"
        );
        Ok(())
    })
}

/// Q2: what can't be stored is refused at the push, by name.
#[test]
fn a_setting_that_cannot_be_stored_is_refused_at_the_push() -> TestResult {
    let table = [
        (OnDiscard::named("no spaces", "job", 1), "`on_discard` has ' ' in it"),
        (OnDiscard::named("alert", "job", 1).queue(""), "`on_discard.queue` is empty"),
        (OnDiscard::named("alert", "job", 0), "`on_discard.max_attempts` is 0"),
        (OnDiscard::named("alert", "", 1), "`on_discard.parameter` has 0 bytes"),
    ];
    for (on_discard, why) in table {
        let mut job = NewJob::new("charge", Body::stored("{}"));
        job.on_discard = Some(Arc::new(on_discard));

        let error = queue_core::Limits::default().check(&[job]).expect_err(why);

        assert!(error.to_string().contains(why), "{error}");
    }
    Ok(())
}
