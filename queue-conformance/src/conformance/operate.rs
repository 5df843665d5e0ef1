//! Laws about operators' calls.

use queue_core::admin::Cancellation;
use queue_core::{Delivery, Demand, Lease, QueueErrorKind, QueueName, Renewal, State, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, queue};
use crate::law::expect_eq;

/// Pushes a job and brings it into a state. Returns its delivery, if there was one.
pub(super) async fn brought_to(harness: &QueueHarness, number: u32, state: State) -> Option<Delivery> {
    let delay = SECOND * if state == State::Scheduled { 7200 } else { 0 };
    harness.push(vec![job(number).id(id(number)).queue("states").delay(delay)]).await;
    let transition = match state {
        State::Scheduled | State::Available => return None,
        State::Executing => None,
        State::Retryable => {
            Some(Transition::Retry { at: harness.now().saturating_add(SECOND * 7200), error: "no".into() })
        }
        State::Completed => Some(Transition::complete()),
        State::Discarded => Some(Transition::Discard { error: "never".into() }),
        State::Cancelled => Some(Transition::Cancel { reason: "why".into() }),
        other => panic!("no law brings a job to the state {other}"),
    };
    let delivery = harness.claim(Demand::new("states", 1)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("job {number} must be ready in queue `states`"));
    expect_eq!(delivery.id(), id(number), "the only job that is ready in queue `states`");
    if let Some(transition) = transition {
        harness.settle(&delivery, transition).await;
    }
    harness.is(id(number), state).await;
    Some(delivery)
}

/// Q40: Cancelling a waiting job ends it at once; an executing one learns of it at its next renewal; if it still completes,
/// completed it is; what would have it run again, a lost lease included, leaves it cancelled.
pub(super) async fn q40_cancel_ends_a_waiting_job_and_asks_an_executing_one(harness: &QueueHarness) {
    for (number, state) in (0..).zip([State::Scheduled, State::Retryable, State::Available]) {
        brought_to(harness, number, state).await;
        let answer =
            harness.ok("`cancel` of a waiting job", harness.queue().cancel(id(number), "no more")).await;
        expect_eq!(answer, Cancellation::Cancelled, "`cancel` of a job that is {state}");
        let record = harness.is(id(number), State::Cancelled).await;
        expect_eq!(record.cancel_reason.as_deref(), Some("no more"), "the reason");
        expect_eq!(record.finished_at, Some(harness.now()), "when it finished");
        let again =
            harness.ok("`cancel` of a cancelled job", harness.queue().cancel(id(number), "again")).await;
        expect_eq!(again, Cancellation::Finished, "`cancel` of a job that is cancelled");
    }
    let at = harness.now().saturating_add(SECOND);
    let ends = [
        (Some(Transition::complete()), State::Completed),
        (Some(Transition::Retry { at, error: "no".into() }), State::Cancelled),
        (Some(Transition::Snooze { at, error: None }), State::Cancelled),
        (Some(Transition::Snooze { at, error: Some("unknown".into()) }), State::Cancelled),
        (Some(Transition::Cancel { reason: "why".into() }), State::Cancelled),
        (Some(Transition::Release), State::Cancelled),
        (None, State::Cancelled),
    ];
    for (number, (transition, state)) in (10..).zip(ends) {
        let delivery =
            brought_to(harness, number, State::Executing).await.unwrap_or_else(|| panic!("a delivery"));
        let answer =
            harness.ok("`cancel` of an executing job", harness.queue().cancel(id(number), "stop")).await;
        expect_eq!(answer, Cancellation::Requested, "`cancel` of an executing job");
        harness.is(id(number), State::Executing).await;
        let renewal = harness.renew(&delivery.lease).await;
        let Renewal::Held { cancel, .. } = renewal else {
            panic!("the lease of a job with a requested cancellation must hold: {renewal:?}")
        };
        expect_eq!(cancel.as_deref(), Some("stop"), "the reason that the renewal brings");
        match transition {
            Some(transition) => harness.settle(&delivery, transition).await,
            None => harness.advance(Lease::DEFAULT_LENGTH).await,
        }
        harness.is(id(number), state).await;
    }
    harness.advance(SECOND * 7200).await;
    expect_eq!(
        ids_of(&harness.claim(Demand::new("states", 9)).await),
        [],
        "no job that was cancelled is delivered again"
    );
    harness
        .fails_with(
            QueueErrorKind::NotFound,
            "`cancel` of an unknown job",
            harness.queue().cancel(id(99), "x"),
        )
        .await;
}

/// Q41: Operator's `retry` makes a discarded, cancelled or completed job available with at least one attempt left; on an executing one it is `Conflict`.
pub(super) async fn q41_an_operators_retry_makes_a_finished_job_available_again(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    let ends = [
        Transition::complete(),
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "why".into() },
    ];
    for (attempt, end) in (1..).zip(ends) {
        let delivery = harness.claim_one().await;
        expect_eq!(delivery.attempt, attempt, "the attempt");
        harness
            .fails_with(QueueErrorKind::Conflict, "`retry` of an executing job", harness.queue().retry(id(0)))
            .await;
        harness.settle(&delivery, end.clone()).await;
        harness.advance(SECOND).await;

        harness.ok(format!("`retry` after {end:?}"), harness.queue().retry(id(0))).await;

        let record = harness.is(id(0), State::Available).await;
        assert!(
            record.max_attempts > record.attempt,
            "a job that was retried after {end:?} has an attempt left: {record:?}"
        );
        expect_eq!((record.finished_at, record.cancel_reason), (None, None), "of a job that will run again");
    }
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    let waiting = [(1, State::Retryable), (2, State::Scheduled)];
    for (number, state) in waiting {
        brought_to(harness, number, state).await;
    }
    for (number, state) in waiting {
        harness.ok(format!("`retry` of a job that is {state}"), harness.queue().retry(id(number))).await;
        harness.is(id(number), State::Available).await;
    }
    let mut waiter = harness.claiming(Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;
    harness.ok("`retry`", harness.queue().retry(id(0))).await;
    let woken = harness.ok("a claim that waited for a job to be retried", waiter.wakes()).await;
    expect_eq!(ids_of(&woken), [id(0)], "a claim that waits wakes for a job that is retried");
    harness
        .fails_with(QueueErrorKind::NotFound, "`retry` of an unknown job", harness.queue().retry(id(99)))
        .await;
}

/// Q42: `delete` removes any job but an executing one (`Conflict`).
pub(super) async fn q42_delete_removes_any_job_but_an_executing_one(harness: &QueueHarness) {
    for (number, state) in (0..).zip(State::ALL) {
        brought_to(harness, number, state).await;
        if state == State::Executing {
            harness
                .fails_with(
                    QueueErrorKind::Conflict,
                    "`delete` of an executing job",
                    harness.queue().delete(id(number)),
                )
                .await;
            harness.is(id(number), state).await;
            continue;
        }
        harness.ok(format!("`delete` of a job that is {state}"), harness.queue().delete(id(number))).await;
        let record = harness.ok("`get`", harness.queue().get(id(number))).await;
        assert!(record.is_none(), "a job that was {state} is stored after `delete`: {record:?}");
        harness
            .fails_with(
                QueueErrorKind::NotFound,
                "`delete` of an unknown job",
                harness.queue().delete(id(number)),
            )
            .await;
    }
    harness.advance(SECOND).await;
    expect_eq!(
        ids_of(&harness.claim(Demand::new("states", 9)).await),
        [],
        "no job that was deleted is delivered"
    );
    expect_eq!(harness.total().await, 1, "the executing job is all that is left");
}

/// Q43: A paused queue delivers nothing and accepts pushes; `resume` wakes waiters; durable queues remember it over a restart.
pub(super) async fn q43_a_paused_queue_delivers_nothing_until_it_is_resumed(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)), job(1).id(id(1)).queue("other")]).await;
    let running = harness.claim_one().await;
    harness.ok("`pause`", harness.queue().pause(&QueueName::DEFAULT)).await;
    harness.push(vec![job(2).id(id(2)), job(3).id(id(3)).delay(SECOND * 5)]).await;

    let mut waiter = harness.claiming(Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;
    harness.advance(SECOND * 5).await;
    waiter.waits(&**harness.queue()).await;
    harness.is(id(3), State::Available).await;
    let renewal = harness.renew(&running.lease).await;
    assert!(
        matches!(renewal, Renewal::Held { .. }),
        "a running job of a paused queue is renewed: {renewal:?}"
    );
    harness.settle(&running, Transition::complete()).await;
    let both = harness.claim(Demand::of([QueueName::DEFAULT, queue("other")], 9)).await;
    expect_eq!(ids_of(&both), [id(1)], "of a paused queue and another, the other delivers");
    assert!(is_paused(harness).await, "`counts` must show that the queue is paused");
    if let Some(reopened) = harness.fixture().reopen().await {
        let harness = harness.with_queue(reopened);
        harness.nothing_is_ready().await;
        assert!(is_paused(&harness).await, "`counts` must show after a restart that the queue is paused");
    }

    harness.ok("`resume`", harness.queue().resume(&QueueName::DEFAULT)).await;

    let woken = harness.ok("a claim that waited for its queue to be resumed", waiter.wakes()).await;
    expect_eq!(ids_of(&woken), [id(2)], "the first job of the queue that was resumed");
    expect_eq!(ids_of(&harness.claim_up_to(9).await), [id(3)], "the rest of it");
    harness.push(vec![job(4)]).await;
    assert!(!is_paused(harness).await, "`counts` must show that the queue was resumed");
}

async fn is_paused(harness: &QueueHarness) -> bool {
    let counts = harness.ok("`counts`", harness.queue().counts()).await;
    counts.iter().any(|counts| counts.queue == QueueName::DEFAULT && counts.paused)
}
