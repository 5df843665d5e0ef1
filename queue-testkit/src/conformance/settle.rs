//! Laws about the ends of attempts.

use queue_core::admin::AttemptError;
use queue_core::{Lease, NewJob, QueueErrorKind, QueueName, Settled, Settlement, State, Transition};

use super::jobs::{MICROSECOND, SECOND, id, job, jobs, queue, text};
use super::lease::every_transition;
use super::subject::{Subject, ids_of};
use crate::law::expect_eq;

/// Q31: `Complete` ends the job.
pub(super) async fn q31_complete_ends_the_job(subject: &Subject) {
    subject.push(vec![job(0).id(id(0))]).await;
    let delivery = subject.claim_one().await;
    subject.advance(SECOND).await;

    subject.settle(&delivery, Transition::Complete).await;

    let record = subject.is(id(0), State::Completed).await;
    expect_eq!(record.finished_at, Some(subject.now()), "when it finished");
    expect_eq!(
        (record.attempt, record.errors.len()),
        (1, 0),
        "attempts and errors of a job that completed at once"
    );
    subject.advance(Lease::DEFAULT_LENGTH * 2).await;
    subject.nothing_is_ready().await;
}

/// Q32: `Retry { at }` delivers again at `at`, attempt + 1, and the error joins the job's history with attempt, time, message.
pub(super) async fn q32_retry_delivers_again_at_its_time_and_keeps_the_error(subject: &Subject) {
    subject.push(vec![job(0).id(id(0))]).await;
    let mut expected = Vec::new();
    for attempt in 1..=3 {
        let delivery = subject.claim_one().await;
        expect_eq!(delivery.attempt, attempt, "the attempt");
        subject.advance(SECOND).await;
        let (at, error) =
            (subject.now().saturating_add(SECOND * 10), format!("try {attempt}: no answer\nfrom ü"));
        expected.push(AttemptError::new(attempt, subject.now(), error.clone()));

        subject.settle(&delivery, Transition::Retry { at, error }).await;

        let record = subject.is(id(0), State::Retryable).await;
        expect_eq!(
            (record.run_at, record.attempt),
            (at, attempt),
            "`run_at` and attempt of a job that is to be retried"
        );
        expect_eq!(record.errors, expected, "the history of errors");
        subject.advance(SECOND * 10 - MICROSECOND).await;
        subject.nothing_is_ready().await;
        subject.advance(MICROSECOND).await;
        subject.is(id(0), State::Available).await;
    }
}

/// Q33: `Snooze { at }` delivers again at `at` with the same attempt number.
pub(super) async fn q33_snooze_delivers_again_at_its_time_with_the_same_attempt(subject: &Subject) {
    subject.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    for fence in 1..=3 {
        let delivery = subject.claim_one().await;
        expect_eq!(
            (delivery.attempt, delivery.lease.fence.0),
            (1, fence),
            "a snooze is counted by the fence, not by the attempt"
        );
        let at = subject.now().saturating_add(SECOND * 10);

        subject.settle(&delivery, Transition::Snooze { at, error: None }).await;

        let record = subject.is(id(0), State::Scheduled).await;
        expect_eq!(
            (record.run_at, record.attempt, record.errors.len()),
            (at, 0, 0),
            "`run_at`, counted attempts and errors after a snooze"
        );
        subject.advance(SECOND * 10 - MICROSECOND).await;
        subject.nothing_is_ready().await;
        subject.advance(MICROSECOND).await;
    }
}

/// Q94: `Snooze { at, error }` with an error adds it to the history and uses up no attempt, however often.
pub(super) async fn q94_a_snooze_with_an_error_keeps_it_and_uses_up_no_attempt(subject: &Subject) {
    subject.push(vec![job(0).id(id(0)).max_attempts(3)]).await;
    let mut expected = Vec::new();
    for claim in 1..=4 {
        let delivery = subject.claim_one().await;
        expect_eq!(delivery.attempt, 1, "the attempt after {} claims that were not counted", claim - 1);
        subject.advance(SECOND).await;
        let (at, message) = (subject.now().saturating_add(SECOND), format!("claim {claim}: no such job"));
        let transition = Transition::Snooze { at, error: Some(message.clone()) };
        expected.push(AttemptError::new(1, subject.now(), message));

        subject.settle(&delivery, transition).await;

        let record = subject.is(id(0), State::Scheduled).await;
        expect_eq!((record.attempt, record.run_at), (0, at), "counted attempts and `run_at` after a snooze");
        expect_eq!(record.errors, expected, "the history of errors");
        subject.advance(SECOND).await;
    }

    let delivery = subject.claim_one().await;
    expected.push(AttemptError::new(1, subject.now(), "no answer"));
    subject.settle(&delivery, Transition::Retry { at: subject.now(), error: "no answer".to_owned() }).await;

    let record = subject.is(id(0), State::Available).await;
    expect_eq!((record.attempt, record.max_attempts), (1, 3), "the attempt of the first failure that counts");
    expect_eq!(record.errors, expected, "the history of errors, the counted one last");
}

/// Q34: `Release` makes the job available at once, attempt uncounted.
pub(super) async fn q34_release_makes_the_job_available_at_once_and_uncounted(subject: &Subject) {
    subject.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    let first = subject.claim_one().await;
    let mut waiter = subject.claiming(queue_core::Demand::new("default", 1));
    waiter.waits(&**subject.queue()).await;

    subject.settle(&first, Transition::Release).await;

    let deliveries = subject.ok("a claim that waited for a job to be released", waiter.wakes()).await;
    let second = deliveries.first().unwrap_or_else(|| panic!("the job that was released must be delivered"));
    expect_eq!((second.id(), second.attempt), (id(0), 1), "the job and attempt of the second delivery");
    subject.settle(second, Transition::Release).await;
    let record = subject.is(id(0), State::Available).await;
    expect_eq!((record.attempt, record.errors.len()), (0, 0), "counted attempts and errors after a release");
}

/// Q35: `Discard` keeps the job, its payload and its errors for inspection.
pub(super) async fn q35_discard_keeps_the_job_for_inspection(subject: &Subject) {
    subject.push(vec![job(7).id(id(0)).meta("tenant", "acme")]).await;
    let first = subject.claim_one().await;
    subject.settle(&first, Transition::Retry { at: subject.now(), error: "first".into() }).await;
    let second = subject.claim_one().await;

    subject.settle(&second, Transition::Discard { error: "second".into() }).await;

    let record = subject.is(id(0), State::Discarded).await;
    expect_eq!(
        (text(&record.body).as_str(), record.meta.get("tenant")),
        ("{\"n\":7}", Some("acme")),
        "payload and meta"
    );
    let errors: Vec<_> = record.errors.iter().map(|error| (error.attempt, error.message.as_str())).collect();
    expect_eq!(errors, [(1, "first"), (2, "second")], "the history of errors");
    expect_eq!(record.finished_at, Some(subject.now()), "when it finished");
    subject.advance(SECOND * 86_400).await;
    subject.nothing_is_ready().await;
}

/// Q36: `Cancel` ends the job with the reason.
pub(super) async fn q36_cancel_ends_the_job_with_the_reason(subject: &Subject) {
    subject.push(vec![job(0).id(id(0))]).await;
    let delivery = subject.claim_one().await;

    subject.settle(&delivery, Transition::Cancel { reason: "the order was withdrawn".into() }).await;

    let record = subject.is(id(0), State::Cancelled).await;
    expect_eq!(record.cancel_reason.as_deref(), Some("the order was withdrawn"), "the reason");
    expect_eq!(record.finished_at, Some(subject.now()), "when it finished");
    subject.advance(SECOND * 86_400).await;
    subject.nothing_is_ready().await;
}

/// Q37: One batch may mix transitions and stale leases: a result for each, in order, independent of one another.
pub(super) async fn q37_settlements_of_a_batch_are_independent(subject: &Subject) {
    subject.push((0..8).map(|number| job(number).id(id(number))).collect()).await;
    let deliveries = subject.claim_up_to(8).await;
    expect_eq!(deliveries.len(), 8, "eight jobs are claimed");
    let at = subject.now().saturating_add(SECOND);
    let transitions = [Transition::Complete].into_iter().chain(every_transition(at));
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

    let settled = subject.settled(batch).await;

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
        subject.is(id(number), state).await;
    }
}

/// Q38: `followups` are stored if and only if the transition applied, in one atomic step; they may be delayed, prioritised, unique, in other queues.
pub(super) async fn q38_followups_are_stored_if_and_only_if_the_transition_applied(subject: &Subject) {
    for (number, transition) in (0..).zip(every_transition(subject.now().saturating_add(SECOND * 600))) {
        subject.push(vec![job(number).id(id(number))]).await;
        let delivery = subject.claim_one().await;
        let mut settlement = Settlement::new(delivery.lease.clone(), transition.clone());
        settlement.followups = vec![job(100).id(id(100)).queue("next")];
        let settled = subject.settled(vec![settlement]).await;
        expect_eq!(settled, [Settled::Applied], "{transition:?} with a followup");
        subject.is(id(100), State::Available).await;
        let mut stale = Settlement::new(delivery.lease.clone(), transition.clone());
        stale.followups = vec![job(101).id(id(101)).queue("next")];
        expect_eq!(subject.settled(vec![stale]).await, [Settled::Stale], "{transition:?} a second time");
        let followup = subject.ok("`get`", subject.queue().get(id(101))).await;
        assert!(
            followup.is_none(),
            "a followup of {transition:?} that did not apply was stored: {followup:?}"
        );
        for id in [id(number), id(100)] {
            subject.ok("`delete`", subject.queue().delete(id)).await;
        }
    }
    keep_what_they_ask_for(subject).await;
    are_refused_whole(subject).await;
}

async fn keep_what_they_ask_for(subject: &Subject) {
    subject.push(vec![job(10).id(id(10)), job(11).id(id(11)).unique("taken").delay(SECOND * 3600)]).await;
    let delivery = subject.claim_one().await;
    let mut waiter = subject.claiming(queue_core::Demand::new("next", 1));
    waiter.waits(&**subject.queue()).await;
    let mut settlement = Settlement::new(delivery.lease, Transition::Complete);
    settlement.followups = vec![
        job(12).id(id(12)).delay(SECOND * 60),
        job(13).id(id(13)).priority(-9),
        job(14).id(id(14)).unique("free").meta("a", "b"),
        job(15).id(id(15)).queue("next"),
        job(16).id(id(16)).unique("taken"),
    ];

    expect_eq!(
        subject.settled(vec![settlement]).await,
        [Settled::Applied],
        "a transition with a followup whose key is taken"
    );

    let woken = subject.ok("a claim that waited for a followup", waiter.wakes()).await;
    expect_eq!(ids_of(&woken), [id(15)], "the followup in another queue");
    subject.is(id(10), State::Completed).await;
    expect_eq!(
        subject.is(id(12), State::Scheduled).await.run_at,
        subject.now().saturating_add(SECOND * 60),
        "a delayed followup"
    );
    expect_eq!(subject.is(id(13), State::Available).await.priority, -9, "a followup with a priority");
    let unique = subject.is(id(14), State::Available).await;
    expect_eq!(
        (unique.unique.as_deref(), unique.meta.get("a")),
        (Some("free"), Some("b")),
        "a unique followup with meta"
    );
    let taken = subject.ok("`get`", subject.queue().get(id(16))).await;
    assert!(taken.is_none(), "a followup whose key is taken must not be stored: {taken:?}");
    expect_eq!(ids_of(&subject.claim_up_to(9).await), [13, 14].map(id), "the followups that are ready");
}

async fn are_refused_whole(subject: &Subject) {
    let pushed = subject.push(vec![job(20).id(id(20)).queue("last"), job(21).id(id(21)).queue("last")]).await;
    let deliveries = subject.claim(queue_core::Demand::new("last", 2)).await;
    expect_eq!(ids_of(&deliveries), pushed, "both jobs are claimed");
    let mut batch: Vec<_> = deliveries
        .iter()
        .map(|delivery| Settlement::new(delivery.lease.clone(), Transition::Complete))
        .collect();
    if let Some(settlement) = batch.last_mut() {
        settlement.followups = vec![job(22).id(id(22)), NewJob::new("not a name", super::jobs::json("1"))];
    }

    subject
        .fails_with(
            QueueErrorKind::Invalid,
            "a settlement whose last followup is invalid",
            subject.queue().settle(batch),
        )
        .await;

    for id in pushed {
        subject.is(id, State::Executing).await;
    }
    expect_eq!(
        subject.count(&QueueName::DEFAULT, State::Available).await,
        0,
        "no followup of a refused batch is stored"
    );
    expect_eq!(
        subject.count(&queue("last"), State::Executing).await,
        2,
        "no transition of a refused batch is applied"
    );
}

/// Q39: The history of errors is bounded (newest kept), whatever the number of attempts.
pub(super) async fn q39_the_history_of_errors_is_bounded_and_keeps_the_newest(subject: &Subject) {
    let kept = u32::try_from(AttemptError::KEPT).unwrap_or(u32::MAX);
    let attempts = kept + 5;
    let id = subject.push(jobs(1).into_iter().map(|job| job.max_attempts(1000)).collect()).await;
    for attempt in 1..=attempts {
        let delivery = subject.claim_one().await;
        subject
            .settle(&delivery, Transition::Retry { at: subject.now(), error: format!("error {attempt}") })
            .await;
    }

    let record = subject.get(*id.first().unwrap_or_else(|| panic!("one receipt"))).await;

    let errors: Vec<_> = record.errors.iter().map(|error| error.message.clone()).collect();
    let newest: Vec<_> = (attempts - kept + 1..=attempts).map(|attempt| format!("error {attempt}")).collect();
    expect_eq!(errors, newest, "the newest {kept} errors of {attempts}, oldest first");
}
