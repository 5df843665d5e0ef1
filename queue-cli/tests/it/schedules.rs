//! The verb `schedule`.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{Body, NewJob};
use queue_schedules::Schedules;

use crate::store::{Store, TestResult, assert_golden, on_each_store};

on_each_store!(
    schedules_are_put_listed_changed_and_removed,
    an_unknown_schedule_is_answered_with_the_nearest,
    a_schedule_that_cannot_be_stored_is_refused,
    a_wait_for_idle_queues_does_not_wait_for_a_tick,
);

/// The schedule that a program declares.
async fn declare(store: &Store) -> TestResult {
    let job = NewJob::new("charge", Body::stored("{}")).queue("mail");
    let site = Schedules::new("site", store.queue.clone());
    Ok(site.every("weekly", Duration::from_secs(7 * 86_400), job).apply().await?)
}

async fn schedules_are_put_listed_changed_and_removed(store: &Store) -> TestResult {
    declare(store).await?;
    let span = "--from 2026-01-01T00:00:00Z --to 2026-01-01T01:00:00Z";

    let transcript = store.transcript(
        &[
            "schedule put shop/daily send_welcome {\"user_id\":42} --queue mail --cron @daily --zone Europe/Berlin",
            "schedule put shop/often charge --queue mail --every 15m --overlap allow --catch-up all --json",
            "schedule list shop --json --next 1",
            "schedule list site",
            "schedule show shop/often",
            "schedule next shop/daily --count 2",
            "schedule next shop/daily --count 1 --json",
            "schedule pause shop/daily",
            "schedule show shop/daily --recent 0",
            "schedule resume shop/daily --json",
            "schedule trigger shop/daily",
            "schedule trigger shop/daily --json",
            &format!("schedule backfill shop/often {span}"),
            &format!("schedule backfill shop/often {span} --json"),
            "schedule remove shop/daily",
            "schedule list shop --next 0",
        ],
    );

    assert_golden("schedule", &transcript);
    let stored = store.queue.matching(&Filter::all().meta("queue.schedule", "shop/often")).await?;
    assert_eq!(stored.len(), 4, "each quarter of the hour");
    Ok(())
}

async fn an_unknown_schedule_is_answered_with_the_nearest(store: &Store) -> TestResult {
    declare(store).await?;

    let transcript = store.transcript(&[
        "schedule pause site/wekly",
        "schedule trigger sit/weekly",
        "schedule show site/unlike-any --json",
        "schedule show weekly",
        "schedule list sit",
        "schedule list none",
    ]);

    assert_golden("schedule_nearest", &transcript);
    let ticks = store.queue.matching(&Filter::all().name("schedule.tick")).await?;
    assert_eq!(ticks.len(), 1, "nothing was stored");
    Ok(())
}

async fn a_schedule_that_cannot_be_stored_is_refused(store: &Store) -> TestResult {
    declare(store).await?;

    let transcript = store.transcript(&[
        "schedule put site/weekly charge --queue mail --every 1h",
        "schedule put shop/x chargee --queue mail --every 1h",
        "schedule put shop/x charge --queue mail --cron 25",
        "schedule put shop/x charge --queue mail --cron @daily --zone Mars/Olympus",
        "schedule put shop/x charge --queue mail --every 10ms",
        "schedule put shop/x charge --queue mail --every 1h --catch-up all",
        "schedule put shop/x charge {oops --queue mail --every 1h",
        "schedule put sh:op/x charge --queue mail --every 1h",
        "schedule put shop/x charge --queue mail",
        "schedule put shop/x charge --queue mail --every 1h --cron @daily",
        "schedule put shop/x charge --queue mail --every 1h --zone UTC",
        "schedule backfill site/weekly --from 2026-01-01T00:00:00Z --to 2026-01-01T00:00:00Z",
    ]);

    assert_golden("schedule_refused", &transcript);
    Ok(())
}

async fn a_wait_for_idle_queues_does_not_wait_for_a_tick(store: &Store) -> TestResult {
    let job = |name, queue| NewJob::new(name, Body::stored("{}")).queue(queue).meta("mine", "yes");
    let tick = job("schedule.tick", "schedule:site").delay(Duration::from_secs(3_600));
    let later = job("charge", "mail").delay(Duration::from_secs(7_200));
    store.queue.push(vec![tick, later]).await?;

    let busy = store.run("wait --idle --meta mine=yes --timeout 10ms --json");
    store.run("cancel --meta mine=yes --name charge --yes");
    let idle = store.run("wait --idle --meta mine=yes --timeout 20s --json");

    assert!(busy.code == 1 && busy.out.contains("\"idle\":false"), "{}", busy.out);
    assert_eq!((idle.code, &*idle.out), (0, "{\"idle\":true,\"job\":null}\n"), "{}", idle.error);
    Ok(())
}
