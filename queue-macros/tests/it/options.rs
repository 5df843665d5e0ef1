//! The attribute's arguments become the defaults of the job.

use std::time::Duration;

use queue_core::{Discarded, Job, Jobs, NewJob, OnDiscard, RetryContext, Services, background_job, jobs};

#[background_job]
async fn plain() {}

#[background_job(
    name = "mail.send-v2",
    alias = ["send_mail", "mail:send"],
    queue = "mail",
    max_attempts = 3,
    timeout = "1m 30s",
    backoff = exponential("500ms", "10m"),
    priority = -7,
    on_discard = alert
)]
async fn detailed() {}

#[background_job(queue = "ops", max_attempts = 9, priority = -2)]
async fn alert(#[serde(rename = "job")] discarded: Discarded) {
    drop(discarded);
}

#[background_job(alias = "old", backoff = fixed("5s"), priority = 2, max_attempts = 1,)]
async fn fixed() {}

#[background_job(backoff = exponential("5s", "5s"))]
async fn level() {}

#[background_job(backoff = self::waiting::as_long_as_it_takes)]
async fn custom() {}

mod waiting {
    use super::{Duration, RetryContext};

    pub(super) fn as_long_as_it_takes(context: &RetryContext<'_>) -> Duration {
        Duration::from_secs(context.attempt.into())
    }
}

#[background_job]
async fn r#move() {}

/// M1: a job has its function's name, and the framework's defaults otherwise.
#[test]
fn missing_arguments_have_the_defaults() {
    let job = NewJob::from(plain::new());

    assert_eq!(plain::NAME, "plain");
    assert_eq!(r#move::NAME, "move");
    assert!(plain::ALIASES.is_empty());
    assert_eq!((job.queue.as_str(), job.priority, job.max_attempts), ("default", 0, 5));
    assert_eq!(format!("{:?}", plain::options()), format!("{:?}", queue_core::JobOptions::new()));
}

/// M4: each argument sets the option of its name.
#[test]
fn each_attribute_sets_what_it_is_named_for() {
    let job = NewJob::from(detailed::new());

    assert_eq!(job.name, "mail.send-v2");
    assert_eq!((job.queue.as_str(), job.priority, job.max_attempts), ("mail", -7, 3));
    let setting = OnDiscard::named("alert", "job", 9).queue("ops").priority(-2);
    assert_eq!(job.on_discard.as_deref(), Some(&setting));
    assert_eq!(NewJob::from(plain::new()).on_discard(alert::new).on_discard.as_deref(), Some(&setting));
    let options = format!("{:?}", detailed::options());
    assert!(options.contains("timeout: Some(90s)"), "{options}");
    assert!(options.contains("exponential(500ms, 600s)"), "{options}");
    let options = format!("{:?}", fixed::options());
    assert!(options.contains("fixed(5s)"), "{options}");
    let options = format!("{:?}", level::options());
    assert!(options.contains("exponential(5s, 5s)"), "{options}");
    assert!(format!("{:?}", custom::options()).contains("custom"));
}

#[background_job(on_discard = pong)]
async fn ping(discarded: Discarded) {
    drop(discarded);
}

#[background_job(on_discard = ping, queue = "ops")]
async fn pong(discarded: Discarded) {
    drop(discarded);
}

/// M4: two jobs may name each other for their discards.
#[test]
fn jobs_may_name_each_other_for_their_discards() {
    let job = NewJob::new("any", queue_core::Body::stored("null"));

    let setting = job.on_discard(ping::new).on_discard;

    assert_eq!(setting.as_deref(), Some(&OnDiscard::named("ping", "discarded", 5)));
    let named = ping::options();
    assert!(format!("{named:?}").contains("LazyOnDiscard"), "{named:?}");
}

/// M9: a job is registered under its name and its former names.
#[test]
fn a_job_is_known_under_its_former_names_too() {
    let known = jobs![detailed, fixed];

    assert_eq!(known.names(), ["fixed", "mail.send-v2", "mail:send", "old", "send_mail"]);
}

/// M9: a duplicate name, by an alias too, is a problem before anything runs.
#[test]
fn a_name_that_is_taken_twice_is_a_problem_before_anything_runs() {
    #[background_job(alias = "plain")]
    async fn renamed() {}

    let problems = jobs![plain, renamed].check(&Services::builder().build().unwrap());

    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("`plain` is taken twice"), "{problems:?}");
}

/// M8: a job is a type, so a list of jobs can be written by hand too.
#[test]
fn a_list_of_jobs_can_be_written_by_hand() {
    assert_eq!(Jobs::new().with::<plain>().names(), jobs![plain].names());
}
