//! Tests that followups are stored in any number, that they inherit meta, and that a job fails permanently if they cannot be stored.

use std::time::Duration;

use queue_core::{
    Body, JobContext, Meta, NewJob, OutcomeKind, QueueError, QueueErrorKind, QueueExt as _, Services, State,
    background_job, jobs,
};
use queue_testkit::TestKit;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// One more than the maximum size of a batch.
const MANY: u32 = 10_001;

#[background_job]
async fn fan_out(#[inject] context: &JobContext) {
    for number in 0..MANY {
        let body = Body::stored(number.to_string());
        context.then(NewJob::new("part", body).queue("parts").delay(Duration::from_secs(1_000_000)));
    }
}

#[derive(Debug)]
struct Unit;

#[background_job(backoff = fixed("1s"))]
async fn refused_as(#[inject] _unit: &mut Unit, kind: u8) {
    let _ = kind;
}

/// H72: a job that has more followups than the maximum size of a batch stores them all.
#[test]
fn a_job_may_have_more_followups_than_a_batch() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fan_out]).build()?;
        kit.queue().enqueue(fan_out::new()).await?;

        kit.step().await?;

        let jobs = kit.jobs();
        let parts = jobs.iter().filter(|job| job.name.as_str() == "part").count();
        let parent = jobs.iter().find(|job| job.name.as_str() == "fan_out").unwrap();
        assert_eq!((parent.state, parts), (State::Completed, MANY as usize), "{:?}", parent.errors);
        Ok(())
    })
}

/// H72: a permanently refused end of a unit of work discards the job at its first attempt; any other is retried.
#[test]
fn a_refused_end_of_a_unit_of_work_is_a_permanent_failure() -> TestResult {
    let table = [
        (QueueErrorKind::Invalid, State::Discarded),
        (QueueErrorKind::Unsupported, State::Discarded),
        (QueueErrorKind::Conflict, State::Retryable),
        (QueueErrorKind::Unavailable, State::Retryable),
    ];
    for (kind, state) in table {
        queue_testkit::block_on(async {
            let services =
                Services::builder().unit_of_work(
                    async || Ok::<_, QueueError>(Unit),
                    move |_: Unit, _: OutcomeKind| async move {
                        Err::<(), _>(QueueError::new(kind, "not stored"))
                    },
                );
            let kit = TestKit::new(jobs![refused_as]).services(services).build()?;
            kit.queue().enqueue(refused_as::new(0)).await?;

            kit.step().await?;

            let job = kit.jobs().remove(0);
            assert_eq!((job.state, job.attempt), (state, 1), "{kind}: {:?}", job.errors);
            assert!(job.errors[0].message.ends_with("not stored"), "{:?}", job.errors);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
    }
    Ok(())
}

#[background_job]
async fn order(#[inject] context: &JobContext) {
    let own = |job: NewJob| job.meta("tenant", "other").meta("step", "2");
    context.then(NewJob::new("plain", Body::stored("1")).queue("parts"));
    context.then(own(NewJob::new("own", Body::stored("2")).queue("parts")));
}

/// H78: a followup inherits the meta of its job, apart from the keys that it sets itself.
#[test]
fn a_followup_inherits_the_meta_that_it_does_not_set() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![order]).build()?;
        kit.queue().enqueue(order::new()).meta("traceparent", "00-1").meta("tenant", "acme").await?;

        kit.step().await?;

        let jobs = kit.jobs();
        let meta = |name: &str| jobs.iter().find(|job| job.name.as_str() == name).map(|job| job.meta.clone());
        let of = |words: &[(&str, &str)]| Some(words.iter().copied().collect::<Meta>());
        assert_eq!(meta("plain"), of(&[("traceparent", "00-1"), ("tenant", "acme")]));
        assert_eq!(meta("own"), of(&[("traceparent", "00-1"), ("tenant", "other"), ("step", "2")]));
        Ok(())
    })
}

#[background_job]
async fn fill(#[inject] context: &JobContext, bytes: usize) {
    context.then(NewJob::new("full", Body::stored("1")).queue("parts").meta("own", "x".repeat(bytes)));
}

/// H78: inherited meta makes no followup invalid: a key that would exceed the limit is left out.
#[test]
fn an_inherited_key_that_would_exceed_the_limit_is_left_out() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![fill]).build()?;
        let own = Meta::DEFAULT_LIMIT - "own".len() - "a1".len();
        kit.queue().enqueue(fill::new(own)).meta("a", "1").meta("b", "2").await?;

        kit.step().await?;

        let jobs = kit.jobs();
        let full =
            jobs.iter().find(|job| job.name.as_str() == "full").ok_or("the followup was not stored")?;
        assert_eq!((full.meta.get("a"), full.meta.get("b")), (Some("1"), None));
        assert_eq!(full.meta.size(), Meta::DEFAULT_LIMIT);
        Ok(())
    })
}

#[background_job]
async fn lead(#[inject] context: &JobContext) {
    context.then(NewJob::new("plain", Body::stored("1")).queue("parts"));
    context.then(NewJob::new("own", Body::stored("2")).queue("parts").meta("traceparent", "its own"));
    context.set_followup_meta("traceparent", "the attempt");
}

/// H78: the meta that middleware sets for followups overrides that of the job, and a followup's own meta overrides both.
#[test]
fn middleware_sets_meta_of_followups() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![lead]).build()?;
        kit.queue().enqueue(lead::new()).meta("traceparent", "the producer").meta("tenant", "acme").await?;

        kit.step().await?;

        let jobs = kit.jobs();
        let of = |name: &str, key: &str| {
            let job = jobs.iter().find(|job| job.name.as_str() == name)?;
            job.meta.get(key).map(str::to_owned)
        };
        assert_eq!(of("plain", "traceparent").as_deref(), Some("the attempt"));
        assert_eq!(of("plain", "tenant").as_deref(), Some("acme"));
        assert_eq!(of("own", "traceparent").as_deref(), Some("its own"));
        Ok(())
    })
}
