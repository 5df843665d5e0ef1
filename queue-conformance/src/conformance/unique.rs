//! Laws about unique keys.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{
    Delivery, Lease, NewJob, QueueErrorKind, Receipt, Settled, Settlement, State, Transition, Unique,
};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job, text};
use crate::law::expect_eq;

fn keyed(number: u32, key: &str) -> NewJob {
    job(number).id(id(number)).unique(key)
}

/// Q48: While a job with a unique key is unfinished (or within its window), pushing the key again stores nothing and returns `Existing(id)`.
pub(super) async fn q48_a_held_key_keeps_a_second_job_out(harness: &QueueHarness) {
    harness.push(vec![keyed(0, "key").delay(SECOND)]).await;
    held(harness, State::Scheduled).await;
    harness.advance(SECOND).await;
    held(harness, State::Available).await;
    let first = harness.claim_one().await;
    held(harness, State::Executing).await;
    harness
        .settle(&first, Transition::Retry { at: harness.now().saturating_add(SECOND), error: "no".into() })
        .await;
    held(harness, State::Retryable).await;

    let mut other_name = keyed(2, "key");
    other_name.name = "play".into();
    harness.push(vec![keyed(1, "other key"), other_name]).await;
    windows_hold(harness).await;
}

/// Checks that job 0 holds its key, in every queue.
async fn held(harness: &QueueHarness, state: State) {
    let total = harness.total().await;
    let receipts =
        harness.receipts(vec![keyed(90, "key"), keyed(91, "key").queue("other").priority(-1)]).await;
    expect_eq!(receipts, [Receipt::Existing(id(0)); 2], "pushing the key of a job that is {state}");
    expect_eq!(harness.total().await, total, "pushing the key of a job that is {state} stores nothing");
    let record = harness.is(id(0), state).await;
    expect_eq!(
        (text(&record.body).as_str(), record.priority),
        ("{\"n\":0}", 0),
        "the job that holds the key is not changed"
    );
}

async fn windows_hold(harness: &QueueHarness) {
    let windowed = |number| {
        job(number).id(id(number)).queue("windows").unique(Unique::new("window").within(SECOND * 60))
    };
    harness.push(vec![windowed(10)]).await;
    let delivery: Option<Delivery> = harness.claim(queue_core::Demand::new("windows", 1)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("the job must be ready"));
    harness.settle(&delivery, Transition::complete()).await;
    for wait in [Duration::ZERO, SECOND * 60 - MICROSECOND] {
        harness.advance(wait).await;
        let receipts = harness.receipts(vec![windowed(11)]).await;
        expect_eq!(
            receipts,
            [Receipt::Existing(id(10))],
            "pushing the key of a finished job within its window"
        );
    }
    harness.advance(MICROSECOND).await;
    expect_eq!(
        harness.receipts(vec![windowed(11)]).await,
        [Receipt::Stored(id(11))],
        "pushing the key at the end of its window"
    );
    a_retry_begins_no_window_anew(harness).await;
    a_window_ends_for_its_own_job_alone(harness).await;
    a_window_keeps_the_key_from_a_retry_too(harness).await;
}

fn within(number: u32, key: &str, window: Duration) -> NewJob {
    job(number).id(id(number)).queue("windows").unique(Unique::new(key).within(window))
}

async fn complete_windowed(harness: &QueueHarness, number: u32) {
    let delivery = harness.claim(queue_core::Demand::new("windows", 9)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("the job is ready"));
    expect_eq!(delivery.id(), id(number), "the job that is ready");
    harness.settle(&delivery, Transition::complete()).await;
}

async fn a_retry_begins_no_window_anew(harness: &QueueHarness) {
    harness.ok("`delete`", harness.queue().delete(id(11))).await;
    harness.push(vec![within(20, "retried", SECOND * 60)]).await;
    complete_windowed(harness, 20).await;
    harness.advance(SECOND * 30).await;
    harness.ok("`retry` of a job within its window", harness.queue().retry(id(20))).await;
    complete_windowed(harness, 20).await;
    for (wait, receipt) in
        [(SECOND * 30 - MICROSECOND, Receipt::Existing(id(20))), (MICROSECOND, Receipt::Stored(id(21)))]
    {
        harness.advance(wait).await;
        expect_eq!(
            harness.receipts(vec![within(21, "retried", SECOND * 60)]).await,
            [receipt],
            "a window lasts from the push, whether or not its job was retried"
        );
    }
    complete_windowed(harness, 21).await;
}

async fn a_window_ends_for_its_own_job_alone(harness: &QueueHarness) {
    harness.push(vec![within(30, "followed", SECOND * 60)]).await;
    complete_windowed(harness, 30).await;
    let follower = Unique::new("followed").replace();
    let follower = job(31).id(id(31)).queue("windows").unique(follower).delay(SECOND * 3600);
    expect_eq!(
        harness.receipts(vec![follower]).await,
        [Receipt::Stored(id(31))],
        "replacing a job that has finished within its window stores a new one"
    );
    harness.advance(SECOND * 60).await;
    expect_eq!(
        harness.receipts(vec![within(32, "followed", SECOND)]).await,
        [Receipt::Existing(id(31))],
        "the new one holds the key beyond the old one's window"
    );
}

async fn a_window_keeps_the_key_from_a_retry_too(harness: &QueueHarness) {
    harness.push(vec![within(40, "taken", SECOND)]).await;
    complete_windowed(harness, 40).await;
    harness.advance(SECOND).await;
    harness.push(vec![within(41, "taken", SECOND * 60)]).await;
    complete_windowed(harness, 41).await;
    harness
        .fails_with(
            QueueErrorKind::Conflict,
            "`retry` of a job whose key another finished job holds within its window",
            harness.queue().retry(id(40)),
        )
        .await;
    harness.is(id(40), State::Completed).await;
}

/// Q49: Exactly one of k concurrent pushes of a key is stored; so too within one batch.
pub(super) async fn q49_of_many_pushes_of_a_key_one_is_stored(harness: &QueueHarness) {
    let receipts = harness.receipts(vec![keyed(0, "batch"), keyed(1, "batch"), keyed(2, "batch")]).await;
    expect_eq!(
        receipts,
        [Receipt::Stored(id(0)), Receipt::Existing(id(0)), Receipt::Existing(id(0))],
        "one key three times in a batch"
    );

    for round in 0..10 {
        harness.note("eight pushes of a key at once");
        let key = format!("round {round}");
        let pushes = (0..8).map(|number| {
            let (queue, job) = (harness.queue().clone(), keyed(100 + round * 8 + number, &key));
            tokio::spawn(async move { queue.push(vec![job]).await })
        });
        let mut receipts = Vec::new();
        for push in pushes.collect::<Vec<_>>() {
            let pushed = harness.steps().joins("one of eight pushes at once", push);
            receipts.extend(harness.ok("one of eight pushes at once", pushed).await);
        }
        let stored: Vec<_> =
            receipts.iter().filter(|receipt| matches!(receipt, Receipt::Stored(_))).collect();
        expect_eq!(stored.len(), 1, "exactly one of eight pushes of a key at once is stored: {receipts:?}");
        let winner = stored.first().map(|receipt| receipt.id());
        assert!(
            receipts.iter().all(|receipt| Some(receipt.id()) == winner),
            "all other receipts name the stored job: {receipts:?}"
        );
        expect_eq!(harness.total().await, u64::from(round) + 2, "the number of jobs");
    }
}

/// Q50: After the first finishes, the key is free.
pub(super) async fn q50_a_key_is_free_after_its_job_finished(harness: &QueueHarness) {
    harness.push(vec![keyed(0, "key").max_attempts(1)]).await;
    let lost = harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    expect_eq!(lost.id(), id(0), "the job that was claimed");
    let ends = [
        Transition::complete(),
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "why".into() },
    ];
    for (number, end) in (1..).zip(ends) {
        let receipts = harness.receipts(vec![keyed(number, "key")]).await;
        expect_eq!(receipts, [Receipt::Stored(id(number))], "pushing a key whose job has finished");
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, end).await;
    }
    harness.push(vec![keyed(4, "key")]).await;
    harness.ok("`cancel`", harness.queue().cancel(id(4), "why")).await;
    harness.push(vec![keyed(5, "key")]).await;
    harness.ok("`delete`", harness.queue().delete(id(5))).await;
    harness.push(vec![keyed(6, "key")]).await;

    let error = harness
        .fails_with(
            QueueErrorKind::Conflict,
            "`retry` of a finished job whose key is taken now",
            harness.queue().retry(id(1)),
        )
        .await;
    harness.is(id(1), State::Completed).await;
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    harness
        .ok(format!("`retry` once the key is free, after the error `{error}`"), harness.queue().retry(id(1)))
        .await;
    let receipts = harness.receipts(vec![keyed(7, "key")]).await;
    expect_eq!(receipts, [Receipt::Existing(id(1))], "a job that was retried holds its key again");
}

/// Q51: `on_conflict = Replace` updates payload, `run_at` and priority of a job that has not started; of one that has, it stores a new one to follow.
pub(super) async fn q51_replace_updates_a_job_that_has_not_started_and_follows_one_that_has(
    harness: &QueueHarness,
) {
    let replacing = |number| job(number).id(id(number)).unique(Unique::new("key").replace());
    harness.push(vec![replacing(0).delay(SECOND * 60), job(9).id(id(9))]).await;

    let receipts = harness.receipts(vec![replacing(1).delay(SECOND * 10).priority(-5)]).await;

    expect_eq!(receipts, [Receipt::Replaced(id(0))], "replacing a job that has not started");
    let record = harness.is(id(0), State::Scheduled).await;
    expect_eq!(
        (text(&record.body).as_str(), record.priority),
        ("{\"n\":1}", -5),
        "payload and priority of the new one"
    );
    expect_eq!(record.run_at, harness.now().saturating_add(SECOND * 10), "`run_at` of the new one");
    expect_eq!(
        harness.ids(&Filter::all()).await,
        [0, 9].map(id),
        "a job that was replaced is the same job, in the same place"
    );
    expect_eq!(
        harness.receipts(vec![replacing(2).priority(-6)]).await,
        [Receipt::Replaced(id(0))],
        "replacing it again"
    );
    let first = harness.claim_one().await;
    expect_eq!(
        (first.id(), text(&first.body).as_str()),
        (id(0), "{\"n\":2}"),
        "the job that was made ready and urgent"
    );

    let receipts = harness.receipts(vec![replacing(3).priority(-7)]).await;

    expect_eq!(receipts, [Receipt::Stored(id(3))], "replacing a job that has started stores a new one");
    expect_eq!(
        text(&harness.is(id(0), State::Executing).await.body),
        "{\"n\":2}",
        "the job that has started is not changed"
    );
    expect_eq!(
        harness.receipts(vec![replacing(4)]).await,
        [Receipt::Replaced(id(3))],
        "the new one holds the key"
    );
    harness.settle(&first, Transition::complete()).await;
    expect_eq!(
        harness.receipts(vec![keyed(5, "key")]).await,
        [Receipt::Existing(id(3))],
        "and keeps it after the old one's end"
    );
    expect_eq!(ids_of(&harness.claim_up_to(9).await), [9, 3].map(id), "the jobs that are ready now");
}

/// Q58: A followup may take the unique key that its parent's end frees.
pub(super) async fn q58_a_followup_may_take_the_key_that_its_parents_end_frees(harness: &QueueHarness) {
    harness.push(vec![keyed(0, "chain")]).await;
    let ends = [
        Transition::complete(),
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "why".into() },
    ];
    for (number, end) in (0..).zip(ends) {
        let parent = harness.claim_one().await;
        let followups = vec![keyed(number + 1, "chain"), keyed(90, "chain").priority(-1)];
        let settlement = Settlement::new(parent.lease, end.clone()).followups(followups);

        expect_eq!(harness.settled(vec![settlement]).await, [Settled::Applied], "{end:?} with followups");

        harness.is(id(number + 1), State::Available).await;
        let second = harness.ok("`get`", harness.queue().get(id(90))).await;
        assert!(second.is_none(), "two followups of {end:?} hold one key: {second:?}");
        expect_eq!(
            harness.receipts(vec![keyed(91, "chain")]).await,
            [Receipt::Existing(id(number + 1))],
            "the followup of {end:?} holds the key"
        );
    }
    a_parent_that_goes_on_keeps_its_key(harness).await;
}

async fn a_parent_that_goes_on_keeps_its_key(harness: &QueueHarness) {
    let parent = harness.claim_one().await;
    let settlement = Settlement::new(parent.lease, Transition::Release).followups(vec![keyed(92, "chain")]);

    expect_eq!(harness.settled(vec![settlement]).await, [Settled::Applied], "a release with a followup");

    let followup = harness.ok("`get`", harness.queue().get(id(92))).await;
    assert!(followup.is_none(), "a released job keeps its key, and its followup was stored: {followup:?}");
}
