//! The attribute says when a schedule enqueues the job.

use std::time::Duration;

use queue_core::{CatchUp, Job, Overlap, Recurrence, background_job, jobs};

#[background_job]
async fn plain() {}

#[background_job(
    cron = "0 3 * * MON",
    zone = "Europe/Berlin",
    overlap = "allow",
    catch_up = "all",
    queue = "reports"
)]
async fn weekly() {}

#[background_job(every = "15m", overlap = "follow", catch_up = "skip")]
async fn often(#[serde(default)] limit: u32, month: Option<u32>) {
    let _ = (limit, month);
}

#[background_job(every = "1h")]
async fn lacks_a_default(year: u32) {
    let _ = year;
}

/// M4: each argument sets the part of the recurrence of its name.
#[test]
fn the_arguments_are_the_recurrence_of_the_job() {
    let all = CatchUp::All { at_most: CatchUp::MOST };
    let monday = Recurrence::cron("0 3 * * MON").zone("Europe/Berlin").overlap(Overlap::Allow).catch_up(all);
    let quarter = Recurrence::every(Duration::from_secs(900)).overlap(Overlap::Follow);

    assert_eq!(plain::recurrence(), None);
    assert_eq!(weekly::recurrence(), Some(monday));
    assert_eq!(often::recurrence(), Some(quarter.catch_up(CatchUp::Skip { grace: CatchUp::GRACE })));
}

/// M4: a list has its recurring jobs, with the defaults of their parameters.
#[test]
fn a_list_has_its_recurring_jobs() {
    let recurring = jobs![plain, weekly, often, lacks_a_default].recurring();

    let names: Vec<_> = recurring.iter().map(|job| job.name).collect();
    assert_eq!(names, ["weekly", "often", "lacks_a_default"]);
    assert_eq!(recurring[0].job.as_ref().unwrap().queue, "reports");
    let often: often = recurring[1].job.as_ref().unwrap().body.decode().unwrap();
    assert_eq!(often, often::new(0, None));
    let missing = recurring[2].job.as_ref().unwrap_err();
    assert!(
        missing.contains("a parameter of `lacks_a_default` has no default: missing field `year`"),
        "{missing}"
    );
}
