//! H33: ticks that no process took in time.

use queue_core::{CatchUp, Event, Overlap, background_job, jobs};
use queue_schedules::Schedules;
use queue_testkit::{Recorder, TestKit};

use crate::world::{HOUR, Log, MINUTE, TestResult, kit, note, schedules};

/// H33: After an outage, the newest tick enqueues its job. It says how many were skipped. A new schedule begins after now.
#[queue_testkit::test]
async fn the_newest_tick_of_an_outage_enqueues_its_job() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).every("often", 10 * MINUTE, note::new()).apply().await?;
    kit.run_until_idle().await?;
    assert_eq!(log.seconds(), [] as [i64; 0], "a new schedule has no tick in the past");

    kit.advance(HOUR - MINUTE).await;
    kit.run_until_idle().await?.expect_success();

    assert_eq!(log.seconds(), [3000]);
    let tick = log.ticks().remove(0);
    assert_eq!((tick.skipped(), tick.late_by()), (4, 9 * MINUTE));
    let skipped = schedules(&kit).list().await?.remove(0).skipped.expect("ticks were skipped");
    assert_eq!(skipped.count, 4);
    kit.run_for(MINUTE).await?;
    assert_eq!(log.seconds(), [3000, 3600], "the next tick comes at its time");
    Ok(())
}

/// H33: All ticks of an outage enqueue their jobs, the oldest first.
#[queue_testkit::test]
async fn all_ticks_of_an_outage_enqueue_their_jobs() -> TestResult {
    let (kit, log) = kit()?;
    let all = CatchUp::All { at_most: 3 };
    let schedules =
        schedules(&kit).every("often", 10 * MINUTE, note::new()).overlap(Overlap::Allow).catch_up(all);
    schedules.apply().await?;
    kit.run_until_idle().await?;

    kit.advance(HOUR - MINUTE).await;
    kit.run_until_idle().await?.expect_success();

    assert_eq!(log.seconds(), [1800, 2400, 3000]);
    Ok(())
}

/// H33: With `skip`, a tick that is late enqueues nothing. An event says so.
#[queue_testkit::test]
async fn a_late_tick_is_skipped_and_an_event_says_so() -> TestResult {
    #[background_job]
    async fn unused() {}
    let (log, recorder) = (Log::default(), Recorder::new());
    let jobs = jobs![note, unused].and(Schedules::ticks());
    let kit = TestKit::new(jobs).singleton(log.clone()).observe(recorder.clone()).build()?;
    let skip = CatchUp::Skip { grace: MINUTE };
    schedules(&kit).every("often", 10 * MINUTE, note::new()).catch_up(skip).apply().await?;
    kit.run_until_idle().await?;

    kit.advance(12 * MINUTE).await;
    kit.run_until_idle().await?.expect_success();

    assert_eq!(log.seconds(), [] as [i64; 0]);
    let told = |event: &Event| {
        matches!(event, Event::TicksSkipped { schedule, count: 1, first, last, .. }
            if schedule == "shop/often" && *first == crate::world::at(600) && first == last)
    };
    assert_eq!(recorder.count(told), 1);
    kit.run_for(10 * MINUTE).await?;
    assert_eq!(log.seconds(), [1200]);
    Ok(())
}
