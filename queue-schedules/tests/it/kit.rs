//! T17: schedules in a test kit, and the tick that a job takes.

use std::time::{Duration, Instant};

use queue_core::{QueueExt as _, Recurrence, background_job, jobs};
use queue_schedules::Schedules;

use crate::world::{DAY, HOUR, MINUTE, TestResult, at, kit, nightly, note, schedules};

/// T17: A year of a schedule passes in virtual time, in less than a second.
#[queue_testkit::test]
async fn a_year_of_nights_passes_in_virtual_time() -> TestResult {
    let (kit, log) = kit()?;
    let began = Instant::now();
    schedules(&kit).jobs(jobs![nightly]).apply().await?;

    kit.run_for(365 * DAY).await?.expect_success();

    let nights: Vec<_> = (0..365).map(|day| 14 * 3600 + day * 86_400).collect();
    assert_eq!(log.seconds(), nights);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed()); // a loaded machine, without optimizations
    Ok(())
}

/// T17: Changes of the clock pass in virtual time: in Berlin, 02:30 of 2030-03-31 does not exist.
#[queue_testkit::test]
async fn a_skipped_hour_is_made_up_for_in_virtual_time() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).cron("spring", "30 2 * * *", note::new()).zone("Europe/Berlin").apply().await?;
    kit.advance(88 * DAY).await; // 2030-03-30 12:00 UTC
    kit.run_until_idle().await?;

    kit.run_for(2 * DAY).await?;

    let ticks: Vec<_> = log.ticks().iter().skip(1).map(|tick| tick.at().to_string()).collect();
    assert_eq!(ticks, ["2030-03-31T01:00:00.000000Z", "2030-04-01T00:30:00.000000Z"]);
    Ok(())
}

/// T17: A tick that waits is no work left.
#[queue_testkit::test]
async fn a_kit_with_a_schedule_is_idle_between_its_ticks() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).every("often", MINUTE, note::new()).apply().await?;
    kit.queue().enqueue(note::new()).delay(Duration::from_secs(90)).await?;

    let run = kit.run_until_idle().await?;

    assert!(run.waiting().is_empty(), "{:?}", run.waiting());
    assert_eq!(run.attempts_of::<note>(), 2, "the delayed job, and the job of the tick that came meanwhile");
    assert_eq!(kit.now(), at(90));
    assert_eq!(log.seconds(), [0, 60], "a job without a schedule has the tick of its push");
    Ok(())
}

/// T17: The tick of a job has its instant, its lateness and its schedule; a followup has the same one.
#[queue_testkit::test]
async fn a_job_takes_its_tick_and_its_followup_the_same_one() -> TestResult {
    #[background_job]
    async fn first(#[inject] context: &queue_core::JobContext) {
        context.then(note::new());
    }
    let log = crate::world::Log::default();
    let kit = queue_testkit::TestKit::new(jobs![first, note].and(Schedules::ticks()))
        .singleton(log.clone())
        .build()?;
    schedules(&kit).every("hourly", HOUR, first::new()).apply().await?;
    kit.step().await?;
    kit.advance(HOUR + MINUTE).await;

    kit.run_until_idle().await?.expect_success();

    let tick = log.ticks().remove(0);
    assert_eq!((tick.schedule(), tick.skipped()), (Some("shop/hourly"), 0));
    assert_eq!(tick.at(), at(3600));
    assert_eq!(tick.late_by(), MINUTE);
    Ok(())
}

/// H32: A tick that an operator runs early enqueues nothing, and comes at its time.
#[queue_testkit::test]
async fn a_tick_that_is_run_early_enqueues_nothing() -> TestResult {
    use queue_core::Admin as _;
    let (kit, log) = kit()?;
    schedules(&kit).schedule("hourly", Recurrence::every(HOUR), note::new()).apply().await?;
    kit.run_until_idle().await?;
    let tick = kit.jobs().into_iter().find(|job| !job.state.is_finished()).expect("a tick waits");

    kit.queue().retry(tick.id).await?;
    kit.run_until_idle().await?;

    assert_eq!(log.seconds(), [] as [i64; 0]);
    kit.run_for(HOUR).await?;
    assert_eq!(log.seconds(), [3600]);
    Ok(())
}

/// H31: A tick whose worker dies is performed when its lease of five seconds ends.
#[queue_testkit::test]
async fn a_tick_whose_worker_dies_is_five_seconds_late() -> TestResult {
    use queue_core::{Demand, Queue as _};
    let (kit, log) = kit()?;
    schedules(&kit).every("hourly", HOUR, note::new()).apply().await?;
    kit.run_until_idle().await?;
    kit.advance(HOUR).await;
    let demand = Demand::new("schedule:shop", 1).lease(Schedules::LEASE).wait(Duration::ZERO);
    assert_eq!(kit.queue().claim(&demand).await?.len(), 1);

    kit.run_for(Duration::from_secs(5)).await?;

    assert_eq!(log.seconds(), [3600]);
    assert_eq!(log.ticks()[0].late_by(), Duration::from_secs(5));
    Ok(())
}
