//! The law about explanations.

use std::time::Duration;

use queue_core::admin::Reason;
use queue_core::{Announcement, Demand, JobId, Lease, Limit, LimitScope, QueueErrorKind, QueueLimits, State};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, queue};
use super::limited::{declare, is_refused, of, set};
use super::operate::brought_to;
use crate::law::expect_eq;

/// Q88: `explain` returns every reason why a job is not running now, and no false one: a job that waits only for a worker is the next that a claim delivers, and any other has a reason.
pub(super) async fn q88_an_explanation_has_every_true_reason_and_no_other(harness: &QueueHarness) {
    let announces = announce(harness, "c/3/other", "elsewhere", "work", SECOND).await;
    harness.advance(SECOND * 2).await;
    let unserved: &[&str] = if announces { &["unserved"] } else { &[] };
    let expected = |first: &[&'static str]| [first, unserved].concat();
    for (number, state) in (0..).zip(State::ALL.into_iter().filter(|state| *state != State::Available)) {
        brought_to(harness, number, state).await;
        let expected = match state {
            State::Scheduled => expected(&["scheduled"]),
            State::Retryable => expected(&["retrying"]),
            State::Executing => vec!["executing"],
            _ => vec!["finished"],
        };
        expect_eq!(reasons(harness, number).await, expected, "the reasons of a job that is {state}");
    }
    harness.push(vec![job(10).id(id(10)).queue("states")]).await;
    let waiting = if announces { vec!["unserved"] } else { vec!["waiting"] };
    expect_eq!(reasons(harness, 10).await, waiting, "the reasons of a ready job of a queue without a worker");

    if announces {
        announce(harness, "a/1/states", "states", "play", SECOND * 1000).await;
        expect_eq!(reasons(harness, 10).await, ["unknown_name"], "with a worker that does not know the job");
        announce(harness, "b/2/states", "states", "work", SECOND * 1000).await;
    }
    expect_eq!(reasons(harness, 10).await, ["waiting"], "the reasons of a ready job that a worker can take");
    harness.ok("`pause`", harness.queue().pause(&queue("states"))).await;
    expect_eq!(reasons(harness, 10).await, ["paused"], "the reasons of a ready job of a paused queue");
    expect_eq!(
        reasons(harness, 0).await,
        ["scheduled", "paused"],
        "the reasons of a scheduled job of a paused queue"
    );
    harness.ok("`resume`", harness.queue().resume(&queue("states"))).await;

    harness.advance(Lease::DEFAULT_LENGTH).await;
    let mut takes: Vec<JobId> = Vec::new();
    for number in [0, 1, 2, 3, 4, 5, 10] {
        takes.extend((reasons(harness, number).await == ["waiting"]).then(|| id(number)));
    }
    let claimed = harness.claim(Demand::new("states", 9).worker("b/2/states")).await;
    expect_eq!(
        ids_of(&claimed),
        takes,
        "the jobs that wait only for a worker, and those that a claim delivers"
    );
    harness.ok("`cancel`", harness.queue().cancel(id(10), "enough")).await;
    expect_eq!(
        reasons(harness, 10).await,
        ["executing", "cancel_requested"],
        "of a running job to be cancelled"
    );
    if announces {
        announce(harness, "b/2/states", "states", "work", SECOND).await;
        harness.advance(SECOND).await;
        let expected = ["executing", "worker_vanished", "cancel_requested"];
        expect_eq!(reasons(harness, 10).await, expected, "of a running job whose worker has vanished");
    }
    let explained = async { harness.queue().explain(id(99)).await };
    harness.fails_with(QueueErrorKind::NotFound, "`explain` of an unknown job", explained).await;
    limits_are_reasons(harness, announces).await;
}

/// A ready job that a limit holds has the reasons with the workers that run the other jobs, and does not wait for a worker.
async fn limits_are_reasons(harness: &QueueHarness, announces: bool) {
    // The laws about limits check that a queue without them refuses each use.
    if is_refused(harness).await {
        return;
    }
    if announces {
        announce(harness, "a/1/default", "default", "work", SECOND * 100_000).await;
    }
    let limits = QueueLimits::total(Limit::running(3)).and_each(Limit::running(2));
    declare(harness, limits.and_partition("r", Limit::starts(1, SECOND * 9))).await;
    let pushed = (20..).zip(["a", "a", "a", "r", "r", "s"]);
    harness.push(pushed.map(|(number, partition)| of(partition, number)).collect()).await;
    expect_eq!(reasons(harness, 20).await, ["waiting"], "of a ready job that no limit holds");
    let held = Demand::new("default", 1).lease(SECOND * 1000);
    for worker in ["b/1/x", "c/1/y"] {
        harness.claim(held.clone().worker(worker)).await;
    }
    expect_eq!(
        reasons(harness, 24).await,
        ["rate_limited"],
        "of a job whose partition may not start one yet"
    );
    expect_eq!(reasons(harness, 25).await, ["waiting"], "of a job of another partition");
    let started = harness.claim(held.clone().worker("a/1/default")).await;
    expect_eq!(ids_of(&started), [id(25)], "the job that waited for a worker only");
    expect_eq!(reasons(harness, 21).await, ["at_limit"], "of a job of a queue that is at its limit");
    expect_eq!(reasons(harness, 24).await, ["at_limit", "rate_limited"], "of a job that two limits hold");
    let text = sentences(harness, 21).await;
    let expected =
        "the queue `default` is at its limit: 3 of 3 running, held by `a/1/default`, `b/1/x`, `c/1/y`";
    expect_eq!(text, expected, "the sentence of a full queue");

    set(harness, LimitScope::Total, Some(Limit::running(4))).await;
    harness.claim(held.worker("b/1/x")).await;
    set(harness, LimitScope::Total, Some(Limit::NONE)).await;
    let expected = "partition `a` of the queue `default` is at its limit: 2 of 2 running, held by `b/1/x`";
    expect_eq!(sentences(harness, 22).await, expected, "the sentence of a full partition");
    let until = harness.now().saturating_add(SECOND * 9);
    let expected =
        format!("the rate of partition `r` of the queue `default` allows the next start at {until}");
    expect_eq!(sentences(harness, 24).await, expected, "the sentence of a rate");
    harness.ok("`pause`", harness.queue().pause(&queue("default"))).await;
    expect_eq!(reasons(harness, 22).await, ["paused", "at_limit"], "of a job of a paused queue, too");
}

/// Returns all reasons of a job as sentences.
async fn sentences(harness: &QueueHarness, number: u32) -> String {
    let reasons = harness.ok(format!("`explain` of job {number}"), harness.queue().explain(id(number))).await;
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

/// Announces a worker. Returns whether the queue stores announcements.
async fn announce(
    harness: &QueueHarness,
    worker: &str,
    queues: &str,
    jobs: &str,
    valid_for: Duration,
) -> bool {
    let mut announcement = Announcement::new(worker.into());
    announcement.queues = vec![queue(queues)];
    announcement.jobs = [jobs.into()].into();
    announcement.valid_for = valid_for;
    harness.note(format!("`announce` of {worker}"));
    match harness.queue().announce(&announcement).await {
        Ok(()) => true,
        Err(error) if error.kind() == QueueErrorKind::Unsupported => false,
        Err(error) => panic!("`announce` failed: {error}"),
    }
}

/// Returns the names of a job's reasons, and checks that each reason displays as a sentence.
async fn reasons(harness: &QueueHarness, number: u32) -> Vec<&'static str> {
    let reasons = harness.ok(format!("`explain` of job {number}"), harness.queue().explain(id(number))).await;
    reasons.iter().for_each(|reason| assert!(reason.to_string().len() > 10, "{reason}"));
    reasons.iter().map(name).collect()
}

fn name(reason: &Reason) -> &'static str {
    match reason {
        Reason::Finished { .. } => "finished",
        Reason::Executing { .. } => "executing",
        Reason::WorkerVanished { .. } => "worker_vanished",
        Reason::CancelRequested { .. } => "cancel_requested",
        Reason::Scheduled { .. } => "scheduled",
        Reason::Retrying { .. } => "retrying",
        Reason::Paused { .. } => "paused",
        Reason::Unserved { .. } => "unserved",
        Reason::UnknownName { .. } => "unknown_name",
        Reason::AtLimit { .. } => "at_limit",
        Reason::RateLimited { .. } => "rate_limited",
        Reason::Waiting { .. } => "waiting",
        other => panic!("a reason that the suite does not know: {other:?}"),
    }
}
