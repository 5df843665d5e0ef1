//! The law about explanations.

use std::time::Duration;

use queue_core::admin::Reason;
use queue_core::{Announcement, Demand, JobId, Lease, QueueErrorKind, State};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, queue};
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
        Reason::Waiting { .. } => "waiting",
        other => panic!("a reason that the suite does not know: {other:?}"),
    }
}
