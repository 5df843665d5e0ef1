//! H38, H39: schedules at run time.

use queue_core::{JobName, QueueErrorKind, Receipt, Recurrence, State, jobs};
use queue_schedules::Cron;

use crate::world::{HOUR, MINUTE, TestResult, at, count, kit, nightly, note, schedules};

/// H38: A paused schedule enqueues nothing, over deploys; on resume, the newest tick of the pause enqueues its job.
#[queue_testkit::test]
async fn a_paused_schedule_enqueues_nothing_until_it_is_resumed() -> TestResult {
    let (kit, log) = kit()?;
    let program = schedules(&kit).every("often", 10 * MINUTE, note::new());
    program.apply().await?;
    kit.run_for(10 * MINUTE).await?;

    program.pause("often").await?;
    program.pause("often").await?;
    kit.run_for(15 * MINUTE).await?;
    program.clone().every("other", 24 * HOUR, note::new()).apply().await?;
    kit.run_for(20 * MINUTE).await?;
    assert_eq!(log.seconds(), [600]);
    assert!(program.list().await?.iter().any(|schedule| schedule.name == "often" && schedule.is_paused));

    program.resume("often").await?;
    kit.run_until_idle().await?.expect_success();

    assert_eq!(log.seconds(), [600, 2400]);
    assert_eq!(log.ticks()[1].skipped(), 2);
    assert!(program.list().await?.iter().all(|schedule| !schedule.is_paused));
    kit.run_for(10 * MINUTE).await?;
    assert_eq!(log.seconds(), [600, 2400, 3000]);
    Ok(())
}

/// H38: A paused schedule that is changed stays paused.
#[queue_testkit::test]
async fn a_change_does_not_resume_a_schedule() -> TestResult {
    let (kit, log) = kit()?;
    schedules(&kit).every("often", 10 * MINUTE, note::new()).apply().await?;
    schedules(&kit).pause("often").await?;

    schedules(&kit).every("often", MINUTE, note::new()).apply().await?;
    kit.run_for(HOUR).await?;

    assert_eq!(log.seconds(), [] as [i64; 0]);
    schedules(&kit).resume("often").await?;
    kit.run_for(MINUTE).await?;
    assert_eq!(log.seconds(), [3600, 3660]);
    Ok(())
}

/// H38: `trigger` enqueues at once and disturbs no tick, also while the schedule is paused.
#[queue_testkit::test]
async fn a_trigger_enqueues_at_once_and_disturbs_no_tick() -> TestResult {
    let (kit, log) = kit()?;
    let program = schedules(&kit).every("hourly", HOUR, note::new());
    program.apply().await?;
    kit.run_for(MINUTE).await?;

    assert!(matches!(program.trigger("hourly").await?, Receipt::Stored(_)));
    let again = program.trigger("hourly").await?;
    assert!(matches!(again, Receipt::Existing(_)), "its job may not overlap: {again:?}");
    kit.run_until_idle().await?;
    program.pause("hourly").await?;
    program.trigger("hourly").await?;
    kit.run_until_idle().await?;
    program.resume("hourly").await?;
    kit.run_for(HOUR).await?;

    assert_eq!(log.seconds(), [60, 60, 3600]);
    assert_eq!(log.ticks()[0].schedule(), Some("shop/hourly"));
    Ok(())
}

/// H38: A schedule that is put at run time is kept by deploys; it can be changed and removed.
#[queue_testkit::test]
async fn a_schedule_can_be_put_changed_and_removed_at_run_time() -> TestResult {
    let (kit, log) = kit()?;
    let program = schedules(&kit);
    program.put("customer-42", Recurrence::every(HOUR), count::new(1)).await?;
    program.put("customer-42", Recurrence::every(HOUR), count::new(1)).await?;
    kit.run_for(HOUR).await?;

    program.put("customer-42", Recurrence::every(30 * MINUTE), count::new(2)).await?;
    schedules(&kit).jobs(jobs![nightly]).apply().await?;
    kit.run_for(30 * MINUTE).await?;
    assert_eq!(log.seconds(), [3600, 5400, 5400]);

    program.remove("customer-42").await?;
    kit.run_for(HOUR).await?;
    assert_eq!(log.seconds().len(), 3);
    let error = program.remove("customer-42").await.expect_err("it is removed");
    assert_eq!(error.kind(), QueueErrorKind::NotFound);
    assert!(error.to_string().contains("there is no schedule `customer-42` in the group `shop`"), "{error}");

    program.put("customer-42", Cron::parse("0 9 * * *")?, note::new()).await?;
    assert_eq!(program.list().await?.len(), 2);
    Ok(())
}

/// H38: A schedule that the program declares is not changed at run time, and a wrong one is not stored.
#[queue_testkit::test]
async fn a_declared_schedule_is_not_put_at_run_time() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit).jobs(jobs![nightly]);
    program.apply().await?;

    let declared =
        program.put("nightly", Recurrence::every(HOUR), note::new()).await.expect_err("it is declared");
    let zone = program.put("a", Recurrence::cron("0 2 * * *").zone("Mars/Olympus"), note::new()).await;
    let id = queue_core::NewJob::from(note::new()).id(queue_core::JobId::from_u128(7));
    let with_id = program.put("a", Recurrence::every(HOUR), id).await;

    assert_eq!(declared.kind(), QueueErrorKind::Conflict);
    for (answer, text) in [(zone, "there is no time zone `Mars/Olympus`"), (with_id, "has no id")] {
        let error = answer.expect_err(text);
        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
    }
    assert_eq!(program.list().await?.len(), 1);
    Ok(())
}

/// H39: A list has of each schedule its times in words, its zone, its next ticks, its last job, and what was skipped.
#[queue_testkit::test]
async fn a_list_shows_each_schedule() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit)
        .cron("nightly", "30 2 * * MON-FRI", note::new())
        .zone("Europe/Berlin")
        .every("often", 10 * MINUTE, count::new(1));
    program.apply().await?;
    kit.run_for(10 * MINUTE).await?;

    let list = program.list().await?;

    let [often, nightly] = &list[..] else { panic!("{list:?}") };
    assert_eq!((often.name.as_str(), often.words()), ("often", "every 10 minutes"));
    assert_eq!(often.job, JobName::from("count"));
    let last = often.last.expect("a tick has come");
    assert_eq!((last.at, last.state), (at(600), Some(State::Completed)));
    assert!(kit.jobs().iter().any(|job| job.id == last.job && job.name == "count"));
    assert_eq!(often.next(3), [at(1200), at(1800), at(2400)]);
    assert_eq!(nightly.words(), "at 02:30 on Monday to Friday (Europe/Berlin)");
    assert_eq!(nightly.recurrence.zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(nightly.next(1)[0].to_string(), "2030-01-02T01:30:00.000000Z");
    assert_eq!((nightly.last, nightly.is_paused, nightly.is_declared), (None, false, true));
    Ok(())
}

/// H39: A long list is read in pages.
#[queue_testkit::test]
async fn a_list_has_pages() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit).every("declared", HOUR, note::new());
    program.apply().await?;
    for number in 0..5 {
        program.put(format!("put-{number}"), Recurrence::every(HOUR), note::new()).await?;
    }
    kit.run_until_idle().await?;

    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = program.page(after, 2).await?;
        assert!(page.schedules.len() <= 2);
        names.extend(page.schedules.into_iter().map(|schedule| schedule.name));
        if page.next.is_none() {
            break;
        }
        after = page.next;
    }

    assert_eq!(names, ["declared", "put-0", "put-1", "put-2", "put-3", "put-4"]);
    Ok(())
}
