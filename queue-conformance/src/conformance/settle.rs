//! Laws about settlements.

use queue_core::admin::AttemptError;
use queue_core::{Lease, NewJob, QueueErrorKind, QueueName, Settled, Settlement, State, Transition, Unique};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job, jobs, queue, text};
use super::lease::every_transition;
use crate::law::expect_eq;

/// Q31: `Complete` ends the job.
pub(super) async fn q31_complete_ends_the_job(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let delivery = harness.claim_one().await;
    harness.advance(SECOND).await;

    harness.settle(&delivery, Transition::complete()).await;

    let record = harness.is(id(0), State::Completed).await;
    expect_eq!(record.finished_at, Some(harness.now()), "when it finished");
    expect_eq!(
        (record.attempt, record.errors.len()),
        (1, 0),
        "attempts and errors of a job that completed at once"
    );
    harness.advance(Lease::DEFAULT_LENGTH * 2).await;
    harness.nothing_is_ready().await;
}

/// Q32: `Retry { at }` delivers again at `at`, attempt + 1, and the error joins the job's history with attempt, time, message.
pub(super) async fn q32_retry_delivers_again_at_its_time_and_keeps_the_error(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let mut expected = Vec::new();
    for attempt in 1..=3 {
        let delivery = harness.claim_one().await;
        expect_eq!(delivery.attempt, attempt, "the attempt");
        harness.advance(SECOND).await;
        let (at, error) =
            (harness.now().saturating_add(SECOND * 10), format!("try {attempt}: no answer\nfrom ü"));
        expected.push(AttemptError::new(attempt, harness.now(), error.clone()));

        harness.settle(&delivery, Transition::Retry { at, error }).await;

        let record = harness.is(id(0), State::Retryable).await;
        expect_eq!((record.run_at, record.attempt), (at, attempt), "`run_at` and attempt of a retryable job");
        expect_eq!(record.errors, expected, "the history of errors");
        harness.advance(SECOND * 10 - MICROSECOND).await;
        harness.nothing_is_ready().await;
        harness.advance(MICROSECOND).await;
        harness.is(id(0), State::Available).await;
    }
}

/// Q33: `Snooze { at }` delivers again at `at` with the same attempt number.
pub(super) async fn q33_snooze_delivers_again_at_its_time_with_the_same_attempt(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    for fence in 1..=3 {
        let delivery = harness.claim_one().await;
        expect_eq!(
            (delivery.attempt, delivery.lease.fence.0),
            (1, fence),
            "a snooze is counted by the fence, not by the attempt"
        );
        let at = harness.now().saturating_add(SECOND * 10);

        harness.settle(&delivery, Transition::Snooze { at, error: None }).await;

        let record = harness.is(id(0), State::Scheduled).await;
        expect_eq!(
            (record.run_at, record.attempt, record.errors.len()),
            (at, 0, 0),
            "`run_at`, counted attempts and errors after a snooze"
        );
        harness.advance(SECOND * 10 - MICROSECOND).await;
        harness.nothing_is_ready().await;
        harness.advance(MICROSECOND).await;
    }
}

/// Q94: `Snooze { at, error }` with an error adds it to the history and uses up no attempt, however often.
pub(super) async fn q94_a_snooze_with_an_error_keeps_it_and_uses_up_no_attempt(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(3)]).await;
    let mut expected = Vec::new();
    for claim in 1..=4 {
        let delivery = harness.claim_one().await;
        expect_eq!(delivery.attempt, 1, "the attempt after {} claims that were not counted", claim - 1);
        harness.advance(SECOND).await;
        let (at, message) = (harness.now().saturating_add(SECOND), format!("claim {claim}: no such job"));
        let transition = Transition::Snooze { at, error: Some(message.clone()) };
        expected.push(AttemptError::new(1, harness.now(), message));

        harness.settle(&delivery, transition).await;

        let record = harness.is(id(0), State::Scheduled).await;
        expect_eq!((record.attempt, record.run_at), (0, at), "counted attempts and `run_at` after a snooze");
        expect_eq!(record.errors, expected, "the history of errors");
        harness.advance(SECOND).await;
    }

    let delivery = harness.claim_one().await;
    expected.push(AttemptError::new(1, harness.now(), "no answer"));
    harness.settle(&delivery, Transition::Retry { at: harness.now(), error: "no answer".to_owned() }).await;

    let record = harness.is(id(0), State::Available).await;
    expect_eq!((record.attempt, record.max_attempts), (1, 3), "the attempt of the first failure that counts");
    expect_eq!(record.errors, expected, "the history of errors, the counted one last");
}

/// Q34: `Release` makes the job available at once, attempt uncounted.
pub(super) async fn q34_release_makes_the_job_available_at_once_and_uncounted(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    let first = harness.claim_one().await;
    let mut waiter = harness.claiming(queue_core::Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;

    harness.settle(&first, Transition::Release).await;

    let deliveries = harness.ok("a claim that waited for a job to be released", waiter.wakes()).await;
    let second = deliveries.first().unwrap_or_else(|| panic!("the job that was released must be delivered"));
    expect_eq!((second.id(), second.attempt), (id(0), 1), "the job and attempt of the second delivery");
    harness.settle(second, Transition::Release).await;
    let record = harness.is(id(0), State::Available).await;
    expect_eq!((record.attempt, record.errors.len()), (0, 0), "counted attempts and errors after a release");
}

/// Q35: `Discard` keeps the job, its payload and its errors for inspection.
pub(super) async fn q35_discard_keeps_the_job_for_inspection(harness: &QueueHarness) {
    harness.push(vec![job(7).id(id(0)).meta("tenant", "acme")]).await;
    let first = harness.claim_one().await;
    harness.settle(&first, Transition::Retry { at: harness.now(), error: "first".into() }).await;
    let second = harness.claim_one().await;

    harness.settle(&second, Transition::Discard { error: "second".into() }).await;

    let record = harness.is(id(0), State::Discarded).await;
    expect_eq!(
        (text(&record.body).as_str(), record.meta.get("tenant")),
        ("{\"n\":7}", Some("acme")),
        "payload and meta"
    );
    let errors: Vec<_> = record.errors.iter().map(|error| (error.attempt, error.message.as_str())).collect();
    expect_eq!(errors, [(1, "first"), (2, "second")], "the history of errors");
    expect_eq!(record.finished_at, Some(harness.now()), "when it finished");
    harness.advance(SECOND * 86_400).await;
    harness.nothing_is_ready().await;
}

/// Q36: `Cancel` ends the job with the reason.
pub(super) async fn q36_cancel_ends_the_job_with_the_reason(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let delivery = harness.claim_one().await;

    harness.settle(&delivery, Transition::Cancel { reason: "the order was withdrawn".into() }).await;

    let record = harness.is(id(0), State::Cancelled).await;
    expect_eq!(record.cancel_reason.as_deref(), Some("the order was withdrawn"), "the reason");
    expect_eq!(record.finished_at, Some(harness.now()), "when it finished");
    harness.advance(SECOND * 86_400).await;
    harness.nothing_is_ready().await;
}

/// Q37: One batch may mix transitions and stale leases: a result for each, in order, independent of one another.
pub(super) async fn q37_settlements_of_a_batch_are_independent(harness: &QueueHarness) {
    harness.push((0..8).map(|number| job(number).id(id(number))).collect()).await;
    let deliveries = harness.claim_up_to(8).await;
    expect_eq!(deliveries.len(), 8, "eight jobs are claimed");
    let at = harness.now().saturating_add(SECOND);
    let transitions = [Transition::complete()].into_iter().chain(every_transition(at));
    let mut batch: Vec<_> = deliveries
        .iter()
        .zip(transitions)
        .map(|(delivery, transition)| Settlement::new(delivery.lease.clone(), transition))
        .collect();
    for stale in [0, 3] {
        if let Some(settlement) = batch.get_mut(stale) {
            settlement.lease.fence.0 += 7;
        }
    }

    let settled = harness.settled(batch).await;

    let (applied, stale) = (Settled::Applied, Settled::Stale);
    expect_eq!(
        settled,
        [stale, applied, applied, stale, applied, applied, applied, applied],
        "a result for each, in order"
    );
    let expected = [
        State::Executing,
        State::Completed,
        State::Retryable,
        State::Executing,
        State::Scheduled,
        State::Discarded,
        State::Cancelled,
        State::Available,
    ];
    for (number, state) in (0..).zip(expected) {
        harness.is(id(number), state).await;
    }
}

/// Q38: `followups` are stored if and only if the transition applied, in one atomic step; they may be delayed, prioritised, unique, in other queues.
pub(super) async fn q38_followups_are_stored_if_and_only_if_the_transition_applied(harness: &QueueHarness) {
    for (number, transition) in (0..).zip(every_transition(harness.now().saturating_add(SECOND * 600))) {
        harness.push(vec![job(number).id(id(number))]).await;
        let delivery = harness.claim_one().await;
        let mut settlement = Settlement::new(delivery.lease.clone(), transition.clone());
        settlement.followups = vec![job(100).id(id(100)).queue("next")];
        let settled = harness.settled(vec![settlement]).await;
        expect_eq!(settled, [Settled::Applied], "{transition:?} with a followup");
        harness.is(id(100), State::Available).await;
        let mut stale = Settlement::new(delivery.lease.clone(), transition.clone());
        stale.followups = vec![job(101).id(id(101)).queue("next")];
        expect_eq!(harness.settled(vec![stale]).await, [Settled::Stale], "{transition:?} a second time");
        let followup = harness.ok("`get`", harness.queue().get(id(101))).await;
        assert!(
            followup.is_none(),
            "a followup of {transition:?} that did not apply was stored: {followup:?}"
        );
        for id in [id(number), id(100)] {
            harness.ok("`delete`", harness.queue().delete(id)).await;
        }
    }
    keep_what_they_ask_for(harness).await;
    are_refused_whole(harness).await;
    see_the_settlements_before_them(harness).await;
}

async fn keep_what_they_ask_for(harness: &QueueHarness) {
    harness.push(vec![job(10).id(id(10)), job(11).id(id(11)).unique("taken").delay(SECOND * 3600)]).await;
    let delivery = harness.claim_one().await;
    let mut waiter = harness.claiming(queue_core::Demand::new("next", 1));
    waiter.waits(&**harness.queue()).await;
    let mut settlement = Settlement::new(delivery.lease, Transition::complete());
    settlement.followups = vec![
        job(12).id(id(12)).delay(SECOND * 60),
        job(13).id(id(13)).priority(-9),
        job(14).id(id(14)).unique("free").meta("a", "b"),
        job(15).id(id(15)).queue("next"),
        job(16).id(id(16)).unique("taken"),
    ];

    expect_eq!(
        harness.settled(vec![settlement]).await,
        [Settled::Applied],
        "a transition with a followup whose key is taken"
    );

    let woken = harness.ok("a claim that waited for a followup", waiter.wakes()).await;
    expect_eq!(ids_of(&woken), [id(15)], "the followup in another queue");
    harness.is(id(10), State::Completed).await;
    expect_eq!(
        harness.is(id(12), State::Scheduled).await.run_at,
        harness.now().saturating_add(SECOND * 60),
        "a delayed followup"
    );
    expect_eq!(harness.is(id(13), State::Available).await.priority, -9, "a followup with a priority");
    let unique = harness.is(id(14), State::Available).await;
    expect_eq!(
        (unique.unique.as_deref(), unique.meta.get("a")),
        (Some("free"), Some("b")),
        "a unique followup with meta"
    );
    let taken = harness.ok("`get`", harness.queue().get(id(16))).await;
    assert!(taken.is_none(), "a followup whose key is taken must not be stored: {taken:?}");
    expect_eq!(ids_of(&harness.claim_up_to(9).await), [13, 14].map(id), "the followups that are ready");
}

async fn are_refused_whole(harness: &QueueHarness) {
    let pushed = harness.push(vec![job(20).id(id(20)).queue("last"), job(21).id(id(21)).queue("last")]).await;
    let deliveries = harness.claim(queue_core::Demand::new("last", 2)).await;
    expect_eq!(ids_of(&deliveries), pushed, "both jobs are claimed");
    let mut batch: Vec<_> = deliveries
        .iter()
        .map(|delivery| Settlement::new(delivery.lease.clone(), Transition::complete()))
        .collect();
    if let Some(settlement) = batch.last_mut() {
        settlement.followups = vec![job(22).id(id(22)), NewJob::new("not a name", super::jobs::json("1"))];
    }

    harness
        .fails_with(
            QueueErrorKind::Invalid,
            "a settlement whose last followup is invalid",
            harness.queue().settle(batch),
        )
        .await;

    for id in pushed {
        harness.is(id, State::Executing).await;
    }
    expect_eq!(
        harness.count(&QueueName::DEFAULT, State::Available).await,
        0,
        "no followup of a refused batch is stored"
    );
    expect_eq!(
        harness.count(&queue("last"), State::Executing).await,
        2,
        "no transition of a refused batch is applied"
    );
}

/// Each settlement of a batch takes effect with its followups before the next one does.
async fn see_the_settlements_before_them(harness: &QueueHarness) {
    let keyed = |number: u32, key: &str| job(number).id(id(number)).queue("order").unique(key);
    harness
        .push(["a", "b", "c"].into_iter().zip(30..).map(|(key, number)| keyed(number, key)).collect())
        .await;
    let deliveries = harness.claim(queue_core::Demand::new("order", 3)).await;
    expect_eq!(ids_of(&deliveries), [30, 31, 32].map(id), "the jobs that hold the keys");
    let replacing = job(43).id(id(43)).queue("order").unique(Unique::new("c").replace());
    let followups = [vec![keyed(40, "a"), keyed(41, "b"), replacing], vec![keyed(42, "b")], vec![]];
    let transitions = [Transition::complete(), Transition::complete(), Transition::Release];
    let batch =
        deliveries.iter().zip(transitions).zip(followups).map(|((delivery, transition), followups)| {
            let mut settlement = Settlement::new(delivery.lease.clone(), transition);
            settlement.followups = followups;
            settlement
        });

    expect_eq!(harness.settled(batch.collect()).await, [Settled::Applied; 3], "a batch with followups");

    harness.is(id(40), State::Available).await;
    let early = harness.ok("`get`", harness.queue().get(id(41))).await;
    assert!(
        early.is_none(),
        "the key of a followup is held by a job that a later settlement ends: {early:?}"
    );
    harness.is(id(42), State::Available).await;
    harness.is(id(43), State::Available).await;
    harness.is(id(32), State::Available).await;
    expect_eq!(
        ids_of(&harness.claim(queue_core::Demand::new("order", 9)).await),
        [32, 40, 43, 42].map(id),
        "their order"
    );
}

/// Q39: The history of errors is bounded (newest kept), whatever the number of attempts.
pub(super) async fn q39_the_history_of_errors_is_bounded_and_keeps_the_newest(harness: &QueueHarness) {
    let kept = u32::try_from(AttemptError::KEPT).unwrap_or(u32::MAX);
    let attempts = kept + 5;
    let id = harness.push(jobs(1).into_iter().map(|job| job.max_attempts(1000)).collect()).await;
    for attempt in 1..=attempts {
        let delivery = harness.claim_one().await;
        harness
            .settle(&delivery, Transition::Retry { at: harness.now(), error: format!("error {attempt}") })
            .await;
    }

    let record = harness.get(*id.first().unwrap_or_else(|| panic!("one receipt"))).await;

    let errors: Vec<_> = record.errors.iter().map(|error| error.message.clone()).collect();
    let newest: Vec<_> = (attempts - kept + 1..=attempts).map(|attempt| format!("error {attempt}")).collect();
    expect_eq!(errors, newest, "the newest {kept} errors of {attempts}, oldest first");
}
