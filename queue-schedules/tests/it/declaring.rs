//! H25: mistakes in the declaration are found before the program starts.

use queue_core::{CatchUp, Services, background_job, jobs};
use queue_schedules::Schedules;
use queue_tokio::{Host, HostedService as _, MemoryQueue, QueueService};

use crate::world::{HOUR, note};

#[background_job(cron = "0 2 * * *")]
async fn lacks_a_default(year: u32) {
    drop(year.to_string());
}

#[background_job(every = "1h")]
async fn has_defaults(#[serde(default)] year: u32, month: Option<u32>) {
    let _ = (year, month);
}

#[background_job]
async fn large(text: String) {
    drop(text);
}

fn problems(schedules: &Schedules) -> Vec<String> {
    schedules.check(&Services::none()).iter().map(ToString::to_string).collect()
}

fn declare() -> Schedules {
    Schedules::new("shop", MemoryQueue::new())
}

/// H25: Each mistake is a problem of `build`, with what to do.
#[test]
fn each_mistake_is_a_problem_with_what_to_do() {
    let table = [
        (
            declare().cron("a", "0 25 * * *", note::new()),
            "the cron expression `0 25 * * *`: `25` is no hour: write 0 to 23",
        ),
        (declare().cron("a", "0 0 31 2 *", note::new()), "no date matches the expression"),
        (
            declare().cron("a", "0 2 * * *", note::new()).zone("Mars/Olympus"),
            "there is no time zone `Mars/Olympus`",
        ),
        (declare().every("a", HOUR, note::new()).zone("Europe/Berlin"), "an interval has no time zone"),
        (declare().every("a", std::time::Duration::ZERO, note::new()), "the interval 0ns is too short"),
        (declare().every("a", HOUR, note::new()).every("a", HOUR, note::new()), "`a` is declared twice"),
        (declare().zone("UTC"), "`zone` follows no schedule"),
        (declare().every("a", HOUR, note::new()).catch_up(CatchUp::All { at_most: 0 }), "write 1 to 1000"),
        (
            declare().every("a", HOUR, note::new()).catch_up(CatchUp::All { at_most: 9 }),
            "needs `overlap = \"allow\"`",
        ),
        (
            declare().jobs(jobs![lacks_a_default]),
            "a parameter of `lacks_a_default` has no default: missing field `year`",
        ),
        (declare().every("", HOUR, note::new()), "a name has 1 to 150 bytes"),
        (
            declare().every("a", HOUR, large::new("x".repeat((1 << 20) - 100))),
            "`payload` has 1048487 bytes, the limit is 1047552",
        ),
        (Schedules::new("a/b", MemoryQueue::new()).every("a", HOUR, note::new()), "the group `a/b`"),
    ];

    for (schedules, problem) in table {
        let found = problems(&schedules);
        assert!(found.len() == 1 || problem.contains("group"), "{found:?}");
        assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
    }
}

/// H25: A job whose parameters all have defaults is declared by its attribute.
#[test]
fn a_job_with_defaults_has_no_problem() {
    let schedules =
        declare().jobs(jobs![has_defaults, note]).cron("a", "@daily", note::new()).zone("europe/berlin");

    assert_eq!(problems(&schedules), [] as [&str; 0]);
}

/// H71: A schedule whose job goes to a queue that no service serves is refused by a strict host.
#[test]
fn a_schedule_into_an_unserved_queue_is_named() {
    let queue = MemoryQueue::new();
    let job = queue_core::NewJob::from(note::new()).queue("reports");
    let host = Host::builder()
        .service(QueueService::new(queue.clone(), jobs![]))
        .service(Schedules::new("shop", queue).every("hourly", HOUR, job));

    let error = host.strict().build().expect_err("nothing serves the queue");

    assert!(
        error.to_string().contains("the schedule `hourly` enqueues `note` into the queue `reports`"),
        "{error}"
    );
}

/// H71: A job with a `cron` is named, if no service of its host performs ticks.
#[test]
fn a_job_that_no_schedule_enqueues_is_named() {
    let queue = MemoryQueue::new();
    let host = || Host::builder().service(QueueService::new(queue.clone(), jobs![has_defaults]));
    let schedules = Schedules::new("shop", queue.clone()).jobs(jobs![has_defaults]);

    let error = host().strict().build().expect_err("nothing enqueues the job");

    assert!(error.to_string().contains("`has_defaults` has a `cron` or an `every`"), "{error}");
    assert!(host().service(schedules).strict().build().is_ok());
}
