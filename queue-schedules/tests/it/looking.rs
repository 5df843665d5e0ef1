//! H39: one schedule by its name, the last ticks with their jobs, and the groups of a store.

use queue_core::{Admin as _, Overlap, QueueErrorKind, QueueName, Recurrence, State};
use queue_schedules::{ScheduleCursor, Schedules};

use crate::world::{HOUR, MINUTE, TestResult, at, kit, note, schedules};

/// H39: A schedule is found by its name, whether it is declared or put, and not once it is removed.
#[queue_testkit::test]
async fn a_schedule_is_found_by_its_name() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit).every("declared", HOUR, note::new());
    program.apply().await?;
    program.put("put/with a slash", Recurrence::every(MINUTE), note::new()).await?;
    kit.run_for(HOUR).await?;

    let declared = program.get("declared").await?.expect("it is declared");
    let put = program.get("put/with a slash").await?.expect("it was put");

    assert_eq!((declared.words(), declared.is_declared), ("every hour", true));
    assert_eq!((put.words(), put.is_declared), ("every minute", false));
    assert_eq!(declared.last.and_then(|run| run.state), Some(State::Completed));
    assert!(program.get("other").await?.is_none());
    assert!(Schedules::new("other", kit.queue().clone()).get("declared").await?.is_none());
    program.remove("declared").await?;
    assert!(program.get("declared").await?.is_none());
    Ok(())
}

/// H39: The last ticks are listed with the states of their jobs; one that enqueued nothing has none.
#[queue_testkit::test]
async fn the_last_ticks_have_the_states_of_their_jobs() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit)
        .every("skips", 10 * MINUTE, note::new())
        .every("allows", HOUR, note::new())
        .overlap(Overlap::Allow);
    program.apply().await?;
    kit.run_for(20 * MINUTE).await?;
    kit.queue().pause(&QueueName::DEFAULT).await?;
    kit.run_for(20 * MINUTE).await?;

    let list = program.list().await?;
    let recent = program.recent(&list, 5).await?;

    assert_eq!(list[0].name, "skips");
    let runs: Vec<_> = recent[0].iter().map(|run| (run.at, run.state)).collect();
    let (done, waits) = (Some(State::Completed), Some(State::Available));
    let ticks = [at(0), at(600), at(1200), at(1800), at(2400)];
    assert_eq!(runs, ticks.into_iter().zip([None, done, done, waits, None]).collect::<Vec<_>>());
    assert_eq!(recent[1], [], "it has had no tick yet");
    assert!(program.recent(&[], 5).await?.is_empty());
    Ok(())
}

/// H39: The groups of a store are those that have schedules.
#[queue_testkit::test]
async fn the_groups_are_those_with_schedules() -> TestResult {
    let (kit, _) = kit()?;
    schedules(&kit).every("declared", HOUR, note::new()).apply().await?;
    let billing = Schedules::new("billing", kit.queue().clone());
    billing.put("put", Recurrence::every(HOUR), note::new()).await?;
    let groups = async || Ok::<_, queue_core::QueueError>(Schedules::groups(&kit.queue().summary().await?));
    assert_eq!(groups().await?, ["billing", "shop"]);

    billing.remove("put").await?;
    kit.run_for(MINUTE).await?;

    assert_eq!(groups().await?, ["shop"]);
    Ok(())
}

/// H39: The end of a page is a text that can be read again, and another text is refused.
#[queue_testkit::test]
async fn the_end_of_a_page_is_a_text() -> TestResult {
    let (kit, _) = kit()?;
    let program = schedules(&kit).every("one", HOUR, note::new()).every("two", 2 * HOUR, note::new());
    program.apply().await?;

    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = program.page(after, 1).await?;
        names.extend(page.schedules.into_iter().map(|schedule| schedule.name));
        let Some(next) = page.next else { break };
        let read: ScheduleCursor = next.to_string().parse()?;
        assert_eq!(read, next);
        after = Some(read);
    }

    assert_eq!(names, ["one", "two"]);
    let error = "elsewhere.1".parse::<ScheduleCursor>().expect_err("it is no cursor");
    assert_eq!(error.kind(), QueueErrorKind::Invalid);
    Ok(())
}
