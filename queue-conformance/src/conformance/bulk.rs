//! The law about changes to many jobs.

use queue_core::admin::{Change, Filter};
use queue_core::{AdminExt as _, JobId, Renewal, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job};
use super::operate::brought_to;
use crate::law::expect_eq;

/// Q97: `matching` returns the ids of the jobs that match at one instant; `change`, and with it `cancel_all`, `retry_all` and `delete_all`, affects those of them that still match and allow the change, and counts them.
pub(super) async fn q97_a_bulk_change_affects_exactly_the_jobs_that_matched_when_it_began(
    harness: &QueueHarness,
) {
    jobs_of_each_state_are_cancelled(harness).await;
    jobs_that_match_later_or_no_longer_are_left(harness).await;
    jobs_that_do_not_allow_the_change_are_left(harness).await;
    many_jobs_are_changed_in_batches(harness).await;
}

/// Cancels jobs of each state: waiting ones end, the executing one is asked to stop, and finished ones are not counted.
async fn jobs_of_each_state_are_cancelled(harness: &QueueHarness) {
    let states = [
        State::Completed,
        State::Discarded,
        State::Retryable,
        State::Scheduled,
        State::Executing,
        State::Available,
    ];
    let mut executing = None;
    for (number, state) in (0..).zip(states) {
        let delivery = brought_to(harness, number, state).await;
        executing = if state == State::Executing { delivery } else { executing };
    }
    harness.push(vec![job(6).id(id(6)).queue("other")]).await;
    let filter = Filter::all().queue("states");
    expect_eq!(
        matching(harness, &filter).await,
        ids([0, 1, 2, 3, 4, 5]),
        "the ids that match, in push order"
    );

    let cancelled = harness.ok("`cancel_all`", harness.queue().cancel_all(&filter, "no more")).await;

    expect_eq!(cancelled, 4, "the number of unfinished jobs of the queue");
    for (number, state) in
        [(0, State::Completed), (1, State::Discarded), (4, State::Executing), (6, State::Available)]
    {
        harness.is(id(number), state).await;
    }
    for number in [2, 3, 5] {
        let reason = harness.is(id(number), State::Cancelled).await.cancel_reason;
        expect_eq!(reason.as_deref(), Some("no more"), "the reason of job {number}");
    }
    let Some(delivery) = executing else { panic!("job 4 was claimed") };
    let renewal = harness.renew(&delivery.lease).await;
    let is_asked = matches!(&renewal, Renewal::Held { cancel: Some(_), .. });
    assert!(is_asked, "the worker of the executing job must learn of the cancellation: {renewal:?}");
    harness.settle(&delivery, Transition::complete()).await;
}

/// Retries discarded jobs. One completes meanwhile, and another is discarded meanwhile.
async fn jobs_that_match_later_or_no_longer_are_left(harness: &QueueHarness) {
    harness.advance(SECOND).await;
    for number in [10, 11] {
        brought_to(harness, number, State::Discarded).await;
    }
    let discarded = Filter::all().queue("states").state(State::Discarded).pushed_since(harness.now());
    let matched = matching(harness, &discarded).await;
    expect_eq!(matched, ids([10, 11]), "the discarded jobs");
    harness.ok("`retry` of job 10", harness.queue().retry(id(10))).await;
    let delivery = harness.claim(queue_core::Demand::new("states", 1)).await;
    harness.settle(&delivery[0], Transition::complete()).await;
    brought_to(harness, 12, State::Discarded).await;

    let retried = changed(harness, &matched, &discarded, &Change::Retry).await;

    expect_eq!(retried, 1, "the number of jobs that were discarded all the time");
    for (number, state) in [(10, State::Completed), (11, State::Available), (12, State::Discarded)] {
        harness.is(id(number), state).await;
    }
    let none =
        harness.ok("`delete_all` of no job", harness.queue().delete_all(&Filter::all().queue("none"))).await;
    let unknown = changed(harness, &ids([90, 91]), &Filter::all(), &Change::Delete).await;
    expect_eq!((none, unknown), (0, 0), "the number of deleted jobs if none matches");
    harness.ok("`delete` of job 11", harness.queue().delete(id(11))).await;
}

/// An executing job is not deleted, and a job whose unique key is held is not retried.
async fn jobs_that_do_not_allow_the_change_are_left(harness: &QueueHarness) {
    let keyed = |number: u32| job(number).id(id(number)).queue("keyed").unique("key");
    harness.push(vec![keyed(20)]).await;
    harness.ok("`cancel` of job 20", harness.queue().cancel(id(20), "why")).await;
    harness.push(vec![keyed(21)]).await;
    let claimed = harness.claim(queue_core::Demand::new("keyed", 1)).await;
    expect_eq!(claimed.len(), 1, "job 21 executes");
    harness.push(vec![job(22).id(id(22)).queue("keyed").delay(SECOND * 60)]).await;
    let filter = Filter::all().queue("keyed");

    let retried = harness.ok("`retry_all`", harness.queue().retry_all(&filter)).await;
    expect_eq!(retried, 1, "the number of jobs that allow a retry");
    for (number, state) in [(20, State::Cancelled), (21, State::Executing), (22, State::Available)] {
        harness.is(id(number), state).await;
    }

    let deleted = harness.ok("`delete_all`", harness.queue().delete_all(&filter)).await;
    expect_eq!(deleted, 2, "the number of jobs that allow a deletion");
    expect_eq!(matching(harness, &filter).await, ids([21]), "the jobs that are left");
}

async fn many_jobs_are_changed_in_batches(harness: &QueueHarness) {
    const MANY: u32 = 600;
    harness
        .push((1_000..1_000 + MANY).map(|number| job(number).id(id(number)).queue("many")).collect())
        .await;
    let filter = Filter::all().queue("many").unfinished();

    let cancelled = harness.ok("`cancel_all` of many jobs", harness.queue().cancel_all(&filter, "why")).await;

    expect_eq!(cancelled, u64::from(MANY), "the number of cancelled jobs");
    expect_eq!(harness.count(&"many".into(), State::Cancelled).await, u64::from(MANY), "the cancelled jobs");
}

async fn matching(harness: &QueueHarness, filter: &Filter) -> Vec<JobId> {
    harness.ok(format!("`matching` of {filter:?}"), harness.queue().matching(filter)).await
}

async fn changed(harness: &QueueHarness, ids: &[JobId], filter: &Filter, change: &Change) -> u64 {
    let step = format!("`change` of {} jobs, {change:?}", ids.len());
    harness.ok(step, harness.queue().change(ids, filter, change)).await
}

fn ids<const N: usize>(numbers: [u32; N]) -> Vec<JobId> {
    numbers.map(id).into()
}
