//! Laws about limits on the starts in a window of time.

use std::time::Duration;

use queue_core::{Demand, Limit, LimitScope, QueueLimits, QueueName, Rate, Timestamp, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job};
use super::limited::{after, declare, end_all, has_limits, of, set, start};
use crate::law::expect_eq;

/// Q117: No window of length `per`, wherever it begins, sees more than `starts` deliveries; while jobs are ready and claimers wait, `starts - burst + 1` come in each; a start is charged at the delivery, for good.
pub(super) async fn q117_no_window_has_more_starts_than_a_rate_allows(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    let rates = [
        Limit::starts(3, SECOND * 6),
        Limit::starts(4, SECOND * 6).burst(2),
        Limit::starts(2, SECOND).burst(2),
    ];
    for (number, limit) in rates.into_iter().enumerate() {
        starts_are_spaced(harness, format!("total-{number}").into(), LimitScope::Total, limit).await;
        starts_are_spaced(harness, format!("each-{number}").into(), LimitScope::Each, limit).await;
    }
    a_start_is_not_given_back(harness).await;
    each_partition_has_a_rate_of_its_own(harness).await;
    a_rate_and_a_limit_on_running_jobs_both_bind(harness).await;
}

/// Claims whatever may start, in steps of half a second, with one pause. Compares the starts with those of `Rate`.
async fn starts_are_spaced(harness: &QueueHarness, name: QueueName, scope: LimitScope, limit: Limit) {
    let Some(rate) = limit.rate else { panic!("the law is about rates") };
    let declared = QueueLimits::none().and(scope, limit);
    harness.ok("`declare_limits`", harness.queue().declare_limits(&name, &declared)).await;
    harness.push((0..60).map(|_| job(0).queue(&name)).collect()).await;
    let (mut started, mut free_at): (Vec<Timestamp>, _) = (Vec::new(), Rate::UNUSED);
    for step in 0..40 {
        let (now, expected) = (harness.now(), rate.available(harness.now(), free_at));
        let claimed = harness.claim(Demand::new(name.clone(), 9)).await;
        expect_eq!(claimed.len(), expected as usize, "the starts in step {step} under {limit} in {name}");
        free_at = if expected > 0 { rate.after(now, free_at, expected) } else { free_at };
        started.extend(claimed.iter().map(|_| now));
        for delivery in &claimed {
            harness.settle(delivery, Transition::complete()).await;
        }
        harness.advance(if step == 20 { rate.per * 2 } else { SECOND / 2 }).await;
    }
    for (first, begin) in started.iter().enumerate() {
        let end = begin.saturating_add(rate.per);
        let within = started[first..].iter().filter(|at| **at < end).count();
        assert!(within <= rate.starts as usize, "{within} starts from {begin} on, and {limit} is the limit");
    }
}

async fn a_start_is_not_given_back(harness: &QueueHarness) {
    declare(harness, QueueLimits::total(Limit::starts(1, SECOND * 10))).await;
    let ends = [
        Transition::Release,
        Transition::Retry { at: harness.now(), error: "no".into() },
        Transition::Snooze { at: harness.now(), error: None },
        Transition::complete(),
    ];
    for end in ends {
        harness.push(vec![job(0)]).await;
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, end).await;
        harness.nothing_is_ready().await;
        harness.advance(SECOND * 10 - MICROSECOND).await;
        harness.nothing_is_ready().await;
        harness.advance(MICROSECOND).await;
    }
    end_all(harness).await;
}

async fn each_partition_has_a_rate_of_its_own(harness: &QueueHarness) {
    declare(harness, QueueLimits::each(Limit::starts(1, SECOND * 4)).and_partition("fast", Limit::NONE))
        .await;
    let partitions = ["a", "a", "b", "", "", "fast", "fast"];
    harness.push((100..).zip(partitions).map(|(number, partition)| of(partition, number)).collect()).await;

    expect_eq!(
        start(harness, 9).await,
        [100, 102, 103, 105, 106],
        "one start of each partition, and all of `fast`"
    );
    harness.advance(SECOND * 4).await;
    expect_eq!(start(harness, 9).await, [101, 104], "the starts when the rates allow the next");
}

async fn a_rate_and_a_limit_on_running_jobs_both_bind(harness: &QueueHarness) {
    let name: QueueName = "both".into();
    let declared = QueueLimits::total(Limit::running(2).and_starts(9, SECOND * 9).burst(9));
    harness.ok("`declare_limits`", harness.queue().declare_limits(&name, &declared)).await;
    harness.push((0..20).map(|_| job(0).queue("both")).collect()).await;
    let mut started = 0;
    for _ in 0..9 {
        let claimed = harness.claim(Demand::new("both", 9)).await;
        started += claimed.len();
        for delivery in &claimed {
            harness.settle(delivery, Transition::complete()).await;
        }
    }
    expect_eq!(started, 9, "the starts at one instant, two at a time");
}

/// Q118: A waiting claim wakes when a rate allows the next start, and when a hold ends, with no other event.
pub(super) async fn q118_a_claim_wakes_when_a_rate_or_a_hold_allows_the_next_start(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    let limit = Limit::starts(1, SECOND * 10);
    for (number, limits) in (0..).zip([QueueLimits::total(limit), QueueLimits::each(limit)]) {
        declare(harness, limits).await;
        harness.push(vec![of("a", number * 10), of("a", number * 10 + 1), of("a", number * 10 + 2)]).await;
        expect_eq!(start(harness, 9).await, [number * 10], "the first start");
        for next in [1, 2] {
            wakes_at(harness, SECOND * 10, number * 10 + next).await;
        }
        harness.advance(SECOND * 10).await;
    }
    declare(harness, QueueLimits::none()).await;
    harness.push(vec![of("b", 30), of("b", 31)]).await;
    let delivery = harness.claim_one().await;
    let at = after(harness, SECOND * 7);
    harness.settle(&delivery, Transition::Throttle { at }).await;
    wakes_at(harness, SECOND * 7, 31).await;
    a_higher_rate_wakes(harness).await;
}

/// Checks that a claim waits, and wakes for a job after `by`, not before.
async fn wakes_at(harness: &QueueHarness, by: Duration, expected: u32) {
    let mut waiting = harness.claiming(Demand::new("default", 1).lease(SECOND * 10_000));
    waiting.waits(&**harness.queue()).await;
    harness.advance(by - MICROSECOND).await;
    waiting.waits(&**harness.queue()).await;
    harness.advance(MICROSECOND).await;
    let woken = harness.ok("the claim that waited for the next start", waiting.wakes()).await;
    expect_eq!(ids_of(&woken), [id(expected)], "the job that starts when the time has come");
}

/// The instant from which the next job may start does not depend on a later limit, so a higher rate counts from there.
async fn a_higher_rate_wakes(harness: &QueueHarness) {
    set(harness, LimitScope::Each, Some(Limit::starts(1, SECOND * 10))).await;
    harness.push(vec![of("c", 40), of("c", 41), of("c", 42)]).await;
    expect_eq!(start(harness, 9).await, [40, 30], "a first start, and the throttled job");
    set(harness, LimitScope::Each, Some(Limit::starts(10, SECOND * 10))).await;
    wakes_at(harness, SECOND * 10, 41).await;
    wakes_at(harness, SECOND, 42).await;
}
