//! H36, H37: schedules that a deploy changes.

use queue_core::{BoxError, NewJob, Recurrence, jobs};
use queue_schedules::ScheduleRecord;
use queue_testkit::TestKit;

use crate::world::{HOUR, MINUTE, TestResult, at, count, kit, nightly, note, schedules};

async fn names(kit: &TestKit) -> Result<Vec<String>, BoxError> {
    let mut names: Vec<_> = schedules(kit).list().await?.into_iter().map(|schedule| schedule.name).collect();
    names.sort();
    Ok(names)
}

async fn only(kit: &TestKit) -> Result<ScheduleRecord, BoxError> {
    let mut list = schedules(kit).list().await?;
    assert_eq!(list.len(), 1, "{list:?}");
    Ok(list.remove(0))
}

/// H36: A changed schedule counts from its last tick, and an overdue tick is not lost.
#[queue_testkit::test]
async fn an_overdue_tick_survives_a_change() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).every("report", HOUR, note::new()).apply().await?;
    kit.run_for(HOUR).await?;
    kit.advance(HOUR + MINUTE).await;

    schedules(&kit).every("report", HOUR, count::new(1)).apply().await?;
    kit.run_until_idle().await?.expect_success();

    assert_eq!(log.seconds(), [3600, 7200]);
    assert_eq!(kit.report().attempts_of::<count>(), 1, "the new job");
    Ok(())
}

/// H36: A change while a tick waits replaces it; the times are those of the new schedule.
#[queue_testkit::test]
async fn a_changed_schedule_has_its_new_times() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).every("report", HOUR, note::new()).apply().await?;
    kit.run_for(MINUTE).await?;

    schedules(&kit).every("report", 10 * MINUTE, note::new()).apply().await?;
    assert_eq!(only(&kit).await?.next(2), [at(600), at(1200)]);
    kit.run_for(20 * MINUTE).await?;

    assert_eq!(log.seconds(), [600, 1200]);
    Ok(())
}

/// H36: A greater revision is not undone by a process with a lesser one, whichever starts last.
#[queue_testkit::test]
async fn a_rolling_deploy_does_not_flip_back() -> TestResult {
    let (kit, _) = kit()?;
    let old = schedules(&kit).revision(1).every("report", HOUR, note::new());
    let new =
        schedules(&kit).revision(2).every("report", 2 * HOUR, note::new()).every("more", HOUR, note::new());

    for program in [&old, &new, &old, &new, &old] {
        program.apply().await?;
        kit.run_until_idle().await?;
    }

    assert_eq!(
        names(&kit).await?,
        ["more", "report"],
        "the old program does not retire what it does not know"
    );
    let words = schedules(&kit).list().await?.into_iter().find(|schedule| schedule.name == "report");
    assert_eq!(words.expect("the schedule is listed").words(), "every 2 hours");
    Ok(())
}

/// H36: A process that declares what is stored writes nothing.
#[queue_testkit::test]
async fn a_start_without_changes_writes_nothing() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit).jobs(jobs![nightly]).every("report", HOUR, note::new());
    program.apply().await?;
    kit.run_until_idle().await?;
    let before = format!("{:?}", kit.jobs());

    program.apply().await?;

    assert_eq!(format!("{:?}", kit.jobs()), before);
    Ok(())
}

/// H37: A schedule that is gone from its group is retired. Other groups, and schedules put at run time, are left.
#[queue_testkit::test]
async fn a_schedule_that_is_gone_is_retired() -> TestResult {
    let (kit, log) = kit()?;
    let other = queue_schedules::Schedules::new("other", kit.queue().clone());
    other.clone().every("theirs", HOUR, note::new()).apply().await?;
    schedules(&kit).every("one", HOUR, note::new()).every("two", HOUR, note::new()).apply().await?;
    schedules(&kit).put("three", Recurrence::every(HOUR), note::new()).await?;
    kit.run_until_idle().await?;

    schedules(&kit).every("two", HOUR, note::new()).apply().await?;

    assert_eq!(names(&kit).await?, ["three", "two"]);
    kit.run_for(HOUR).await?;
    assert_eq!(log.seconds().len(), 3, "of `two`, `three` and `theirs`");
    assert_eq!(other.list().await?.len(), 1);
    Ok(())
}

/// H37: A schedule that is retired while its tick is performed ends with that tick.
#[queue_testkit::test]
async fn a_tick_that_is_performed_does_not_revive_its_schedule() -> TestResult {
    use queue_core::{Demand, Queue as _, Settlement, Transition};
    let (kit, _) = kit()?;
    schedules(&kit).every("one", HOUR, note::new()).apply().await?;
    kit.run_until_idle().await?;
    kit.advance(HOUR).await;
    let demand = Demand::new("schedule:shop", 1).wait(std::time::Duration::ZERO);
    let tick = kit.queue().claim(&demand).await?.remove(0);

    schedules(&kit).apply().await?;
    // The tick would store the next one, with the same key.
    let next = NewJob::new("schedule.tick", tick.body.clone()).queue("schedule:shop").unique("shop/one");
    let settlement =
        Settlement::new(tick.lease.clone(), Transition::complete()).followups(vec![next.delay(HOUR)]);
    kit.queue().settle(vec![settlement]).await?;
    kit.run_for(2 * HOUR).await?;

    assert_eq!(names(&kit).await?, [] as [&str; 0]);
    assert!(kit.jobs().iter().all(|job| job.state.is_finished()), "{:?}", kit.jobs());
    Ok(())
}

/// H36: Many declared schedules are stored in one trip, and read in one.
#[queue_testkit::test]
async fn a_thousand_schedules_are_declared() -> TestResult {
    let (kit, _) = kit()?;
    let declare =
        || (0..1_000).fold(schedules(&kit), |all, number| all.every(format!("{number}"), HOUR, note::new()));
    declare().apply().await?;
    kit.run_until_idle().await?;

    declare().apply().await?;

    assert_eq!(schedules(&kit).list().await?.len(), 1_000);
    Ok(())
}
