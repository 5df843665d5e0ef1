//! Schedules over databases, in virtual time between attempts.

use queue_core::{Admin, jobs};
use queue_schedules::Schedules;
use queue_testkit::{TestKit, TestPostgres, TestSqlite};
use queue_tokio::IdleExt as _;

use crate::world::{HOUR, Log, MINUTE, TestResult, count, jobs, nightly, note};

/// Takes a schedule through a day with a change, a pause, a trigger, a backfill and a removal.
async fn live<Q: Admin + Clone>(queue: Q) -> TestResult {
    let log = Log::default();
    let kit = TestKit::over(queue.clone()).jobs(jobs()).singleton(log.clone()).build()?;
    let program =
        Schedules::new("shop", queue.clone()).jobs(jobs![nightly]).every("hourly", HOUR, note::new());
    program.apply().await?;
    program.apply().await?;
    kit.run_for(2 * HOUR).await?.expect_success();
    assert_eq!(log.seconds(), [3600, 7200]);
    // Both schedules have a tick that waits, which is no work left (Q98).
    queue.wait_until_idle(&queue_core::admin::Filter::all(), std::time::Duration::ZERO).await?;

    Schedules::new("shop", queue.clone()).every("hourly", 2 * HOUR, count::new(1)).apply().await?;
    kit.run_for(2 * HOUR).await?.expect_success();
    assert_eq!(log.seconds(), [3600, 7200, 14_400]);

    program.pause("hourly").await?;
    kit.run_for(3 * HOUR).await?.expect_success();
    program.trigger("hourly").await?;
    program.resume("hourly").await?;
    kit.run_until_idle().await?.expect_success();
    assert_eq!(log.seconds()[3..], [25_200, 21_600], "the trigger, and the tick of the pause");

    program.put("put", queue_core::Recurrence::every(HOUR), note::new()).await?;
    assert_eq!(program.backfill("put", crate::world::at(-7200), crate::world::at(1)).await?, 3);
    kit.run_until_idle().await?.expect_success();
    assert_eq!(log.seconds()[5..], [-7200, -3600, 0]);
    let list = program.list().await?;
    let names: Vec<_> = list.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, ["hourly", "put"]);
    assert_eq!(list[0].last.map(|last| last.at), Some(crate::world::at(21_600)));

    program.remove("put").await?;
    Schedules::new("shop", queue.clone()).apply().await?;
    kit.run_for(4 * HOUR + MINUTE).await?.expect_success();
    assert_eq!(log.seconds().len(), 8);
    assert_eq!(program.list().await?.len(), 0);
    Ok(())
}

/// H29, H36, H38: On SQLite.
#[queue_testkit::test(sqlite)]
async fn a_schedule_lives_in_sqlite(db: TestSqlite) -> TestResult {
    live(db.queue().clone()).await
}

/// H29, H36, H38: On PostgreSQL.
#[queue_testkit::test(postgres)]
async fn a_schedule_lives_in_postgres(db: TestPostgres) -> TestResult {
    live(db.queue().clone()).await
}
