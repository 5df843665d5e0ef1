//! The law about limits that are declared, set and taken back.

use std::time::Duration;

use queue_core::admin::LimitRecord;
use queue_core::{Demand, Limit, LimitScope, QueueErrorKind, QueueLimits, QueueName, State, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id};
use super::limited::{declare, has_limits, limits, of, scope, set, start};
use crate::law::expect_eq;

/// Q121: A limit binds from its declaration or its setting on, while jobs run, and is remembered; one that an operator has set is in force instead of the declared one until it is taken back.
pub(super) async fn q121_limits_change_while_jobs_run_and_are_remembered(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    a_lower_limit_stops_no_job_and_a_higher_one_wakes(harness).await;
    a_limit_that_is_set_outlives_declarations(harness).await;
    a_limit_that_is_refused_changes_nothing(harness).await;
    expect_eq!(shown(&limits(harness).await), REMEMBERED, "the limits of the queue");
    if let Some(reopened) = harness.fixture().reopen().await {
        let reopened = harness.with_queue(reopened);
        expect_eq!(shown(&limits(&reopened).await), REMEMBERED, "the limits after a restart");
        reopened.nothing_is_ready().await;
        set(&reopened, LimitScope::Total, Some(Limit::running(1000))).await;
    } else {
        set(harness, LimitScope::Total, Some(Limit::running(1000))).await;
    }
    expect_eq!(start(harness, 99).await.len(), 2, "the jobs that start once the queue's limit is raised");
}

/// The limits at the end of the steps of Q121.
const REMEMBERED: &str = "the queue: 1 at once / 2 at once, 5 starts per 60s (burst 2); \
                          each partition: 7 at once, weight 3 / -; \
                          partition B: - / 1 at once; partition a: - / 9 at once; partition é: 4 at once / -";

fn shown(records: &[LimitRecord]) -> String {
    let text = |limit: Option<Limit>| limit.map_or("-".to_owned(), |limit| limit.to_string());
    let shown = records
        .iter()
        .map(|record| format!("{}: {} / {}", record.scope, text(record.declared), text(record.set)));
    shown.collect::<Vec<_>>().join("; ")
}

async fn a_lower_limit_stops_no_job_and_a_higher_one_wakes(harness: &QueueHarness) {
    harness.push((0..6).map(|number| of("a", number)).collect()).await;
    declare(harness, QueueLimits::each(Limit::running(3))).await;
    let running = harness.claim(Demand::new("default", 9).lease(SECOND * 100)).await;
    expect_eq!(running.len(), 3, "the jobs that the first limit allows");

    set(harness, LimitScope::Each, Some(Limit::running(1))).await;

    for delivery in &running {
        harness.is(delivery.id(), State::Executing).await;
        let renewal = harness.renew(&delivery.lease).await;
        assert!(matches!(renewal, queue_core::Renewal::Held { .. }), "a running job goes on: {renewal:?}");
    }
    harness.settle(&running[0], Transition::complete()).await;
    harness.settle(&running[1], Transition::complete()).await;
    harness.nothing_is_ready().await;
    harness.settle(&running[2], Transition::complete()).await;
    expect_eq!(start(harness, 9).await, [3], "the job that starts once fewer run than the limit allows");

    let mut waiting = harness.claiming(Demand::new("default", 1));
    waiting.waits(&**harness.queue()).await;
    set(harness, scope("a"), Some(Limit::running(2))).await;
    let woken = harness.ok("the claim that waited for a higher limit", waiting.wakes()).await;
    expect_eq!(ids_of(&woken), [id(4)], "the job that a higher limit lets start");

    set(harness, scope("a"), Some(Limit::running(0))).await;
    harness.push(vec![of("b", 6)]).await;
    expect_eq!(
        start(harness, 9).await,
        [6],
        "the job that starts while partition `a` is paused by its limit"
    );
    let mut waiting = harness.claiming(Demand::new("default", 1));
    waiting.waits(&**harness.queue()).await;
    // Without its own limit, `a` has that of each, under which two jobs run already.
    set(harness, scope("a"), None).await;
    waiting.waits(&**harness.queue()).await;
    declare(harness, QueueLimits::none()).await;
    waiting.waits(&**harness.queue()).await;
    set(harness, LimitScope::Each, None).await;
    let woken = harness.ok("the claim that waited until all limits were taken back", waiting.wakes()).await;
    expect_eq!(ids_of(&woken), [id(5)], "the job that starts without a limit");
    expect_eq!(limits(harness).await, [], "the limits, once all were taken back");
}

async fn a_limit_that_is_set_outlives_declarations(harness: &QueueHarness) {
    let first = QueueLimits::total(Limit::running(9)).and_partition("gone", Limit::running(1));
    declare(harness, first.and_each(Limit::running(2))).await;
    for (scope, limit) in [
        (LimitScope::Total, Limit::running(2).and_starts(5, SECOND * 60).burst(2)),
        (scope("a"), Limit::running(9)),
        (scope("B"), Limit::running(1)),
        (scope(""), Limit::weight(4)),
    ] {
        set(harness, scope, Some(limit)).await;
    }
    set(harness, scope(""), None).await;
    let second = QueueLimits::total(Limit::running(1)).and_partition("é", Limit::running(4));
    declare(harness, second.and_each(Limit::running(7).and_weight(3))).await;
    harness.push(vec![of("a", 10), of("c", 11)]).await;
    harness.nothing_is_ready().await;
}

async fn a_limit_that_is_refused_changes_nothing(harness: &QueueHarness) {
    let burst = |burst| Limit::starts(2, SECOND).burst(burst);
    let refused = [
        (LimitScope::Total, Limit::weight(0), "`weight` is 0"),
        (LimitScope::Each, Limit::weight(1001), "`weight` is 1001"),
        (LimitScope::Each, Limit::starts(0, SECOND), "`starts` is 0"),
        (LimitScope::Total, Limit::starts(1, Duration::ZERO), "`per` is 0ns"),
        (LimitScope::Total, Limit::starts(1, Limit::MAX_PER + SECOND), "`per` is"),
        (LimitScope::Each, burst(0), "`burst` is 0"),
        (LimitScope::Each, burst(3), "`burst` is 3"),
        (scope(&"p".repeat(129)), Limit::NONE, "`partition` has 129 bytes"),
        (scope("a\nb"), Limit::NONE, "`partition` has '\\n' in it"),
    ];
    let (queue, default) = (harness.queue(), QueueName::DEFAULT);
    for (scope, limit, said) in refused {
        let set = queue.set_limit(&default, &scope, Some(limit));
        let error = harness.fails_with(QueueErrorKind::Invalid, "`set_limit` of such a limit", set).await;
        let text = queue_core::backend::error_chain(&error);
        assert!(text.contains(said), "the error must name the field ({said}): {text}");
        let limits = QueueLimits::total(Limit::running(500)).and(scope, limit);
        let declare = queue.declare_limits(&default, &limits);
        harness.fails_with(QueueErrorKind::Invalid, "`declare_limits` with such a limit", declare).await;
    }
    let greatest = Limit::running(u32::MAX).and_starts(u32::MAX, Limit::MAX_PER).burst(u32::MAX);
    let greatest = greatest.and_weight(Limit::MAX_WEIGHT);
    set(harness, scope(&"p".repeat(128)), Some(greatest)).await;
    expect_eq!(
        limits(harness).await.iter().filter_map(|record| record.set).max_by_key(|limit| limit.weight),
        Some(greatest)
    );
    set(harness, scope(&"p".repeat(128)), None).await;
}
