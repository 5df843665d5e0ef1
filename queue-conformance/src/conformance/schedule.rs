//! Laws about time.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{Demand, Heartbeat, QueueErrorKind, Schedule, Settlement, State, Timestamp, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job};
use crate::law::expect_eq;
use crate::law::expect_refusal;

const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Q12: A job is never delivered before its `run_at`, by the backend's clock; at it, a waiting claimer wakes with no other event.
pub(super) async fn q12_a_job_is_delivered_at_its_time_and_never_before(harness: &QueueHarness) {
    let at = harness.now().saturating_add(SECOND * 20);
    harness.push(vec![job(0).id(id(0)).delay(SECOND * 10), job(1).id(id(1)).at(at)]).await;

    for (number, wait) in [(0, SECOND * 10), (1, SECOND * 10)] {
        let mut waiter = harness.claiming(Demand::new("default", 1));
        waiter.waits(&**harness.queue()).await;
        harness.advance(wait - MICROSECOND).await;
        waiter.waits(&**harness.queue()).await;
        harness.nothing_is_ready().await;
        harness.is(id(number), State::Scheduled).await;

        harness.advance(MICROSECOND).await;

        let deliveries = harness.ok("a claim that waited for a job's time", waiter.wakes()).await;
        expect_eq!(ids_of(&deliveries), [id(number)], "the job whose time has come");
        expect_eq!(deliveries.first().map(|delivery| delivery.run_at), Some(harness.now()), "its `run_at`");
    }
}

/// Q13: A `run_at` in the past means now.
pub(super) async fn q13_a_time_that_is_past_means_now(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let past = harness.now().saturating_sub(SECOND * 3600);
    harness.push(vec![job(1).id(id(1)).at(past), job(2).id(id(2)).at(Timestamp::EPOCH)]).await;
    harness.is(id(1), State::Available).await;
    harness.is(id(2), State::Available).await;

    let deliveries = harness.claim_up_to(9).await;
    expect_eq!(
        ids_of(&deliveries),
        [0, 1, 2].map(id),
        "a job with a past time does not overtake jobs that were there before"
    );
    for delivery in &deliveries {
        harness.settle(delivery, Transition::Retry { at: past, error: "again".into() }).await;
    }
    expect_eq!(
        ids_of(&harness.claim_up_to(9).await),
        [0, 1, 2].map(id),
        "a retry at a time that is past is ready now"
    );
}

/// Q14: Pushing an earlier job shortens a wait that was set for a later one.
pub(super) async fn q14_an_earlier_job_shortens_a_wait_that_was_set_for_a_later_one(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).delay(SECOND * 3600)]).await;
    let mut first = harness.claiming(Demand::new("default", 1));
    first.waits(&**harness.queue()).await;
    let mut second = harness.claiming(Demand::new("default", 1));
    second.waits(&**harness.queue()).await;

    harness.push(vec![job(1).id(id(1)).delay(SECOND * 10)]).await;
    first.waits(&**harness.queue()).await;
    harness.advance(SECOND * 10).await;
    let deliveries = harness.ok("a claim that waited for a later job", first.wakes()).await;
    expect_eq!(ids_of(&deliveries), [id(1)], "the earlier job, at its time");

    second.waits(&**harness.queue()).await;
    harness.push(vec![job(2).id(id(2))]).await;
    let deliveries = harness.ok("a claim that waited for a later job", second.wakes()).await;
    expect_eq!(ids_of(&deliveries), [id(2)], "the job that was ready as it was pushed");
}

/// Q15: A job a hundred years ahead is accepted, stored and listed; arithmetic at the edge of time is an error, not a panic.
pub(super) async fn q15_a_hundred_years_ahead_is_stored_and_the_edge_of_time_is_no_panic(
    harness: &QueueHarness,
) {
    let at = harness.now().saturating_add(CENTURY);
    harness.push(vec![job(0).id(id(0)).delay(CENTURY), job(1).id(id(1)).at(at)]).await;
    for number in [0, 1] {
        let record = harness.is(id(number), State::Scheduled).await;
        expect_eq!(record.run_at, at, "the `run_at` of a job a hundred years ahead");
    }
    expect_eq!(
        harness.ids(&Filter::all().state(State::Scheduled)).await,
        [0, 1].map(id),
        "the listing of such jobs"
    );
    harness.nothing_is_ready().await;

    harness
        .fails_with(
            QueueErrorKind::Invalid,
            "a push with an endless delay",
            harness.queue().push(vec![job(2).delay(Duration::MAX)]),
        )
        .await;
    harness.push(vec![job(6).id(id(6))]).await;
    let parent = harness.claim_one().await;
    let mut endless = Settlement::new(parent.lease.clone(), Transition::complete());
    endless.followups = vec![job(7).id(id(7)).delay(Duration::MAX)];
    harness
        .fails_with(
            QueueErrorKind::Invalid,
            "a settlement with a followup that has an endless delay",
            harness.queue().settle(vec![endless]),
        )
        .await;
    harness.is(id(6), State::Executing).await;
    harness.settle(&parent, Transition::complete()).await;

    let mut last = job(3).id(id(3));
    last.schedule = Schedule::At(Timestamp::MAX);
    accepts_or_refuses(harness, "a push for the end of time", harness.queue().push(vec![last]).await);

    harness.push(vec![job(4).id(id(4)), job(5).id(id(5))]).await;
    let endless =
        harness.queue().claim(&Demand::new("default", 1).wait(Duration::ZERO).lease(Duration::MAX)).await;
    if let Ok(deliveries) = &endless {
        expect_eq!(deliveries.len(), 1, "a claim with an endless lease leases the job that is ready");
        for delivery in deliveries {
            let renewed = harness.queue().renew(&[Heartbeat::new(delivery.lease.clone())]).await;
            accepts_or_refuses(harness, "a renewal of an endless lease", renewed);
            harness.settle(delivery, Transition::complete()).await;
        }
    }
    accepts_or_refuses(harness, "a claim with an endless lease", endless);
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::Snooze { at: Timestamp::MAX, error: None }).await;
    harness.is(delivery.id(), State::Scheduled).await;
    while !harness.claim_up_to(1).await.is_empty() {}
    let mut waiter = harness.claiming(Demand::new("default", 1).wait(Duration::MAX));
    waiter.waits(&**harness.queue()).await;
}

/// An instant at the edge of time may be refused, as `Invalid`.
fn accepts_or_refuses<T: std::fmt::Debug>(
    harness: &QueueHarness,
    step: &str,
    answer: Result<T, queue_core::QueueError>,
) {
    harness.note(step);
    if answer.is_err() {
        expect_refusal(QueueErrorKind::Invalid, step, answer);
    }
}
