//! Laws about unique keys.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{Delivery, Lease, NewJob, QueueErrorKind, Receipt, State, Transition, Unique};

use super::jobs::{MICROSECOND, SECOND, id, job, text};
use super::subject::{Subject, ids_of};
use crate::law::expect_eq;

fn keyed(number: u32, key: &str) -> NewJob {
    job(number).id(id(number)).unique(key)
}

/// Q48: While a job with a unique key is unfinished (or within its window), pushing the key again stores nothing and returns `Existing(id)`.
pub(super) async fn q48_a_held_key_keeps_a_second_job_out(subject: &Subject) {
    subject.push(vec![keyed(0, "key").delay(SECOND)]).await;
    held(subject, State::Scheduled).await;
    subject.advance(SECOND).await;
    held(subject, State::Available).await;
    let first = subject.claim_one().await;
    held(subject, State::Executing).await;
    subject
        .settle(&first, Transition::Retry { at: subject.now().saturating_add(SECOND), error: "no".into() })
        .await;
    held(subject, State::Retryable).await;

    let mut other_name = keyed(2, "key");
    other_name.name = "play".into();
    subject.push(vec![keyed(1, "other key"), other_name]).await;
    windows_hold(subject).await;
}

/// Holds that the key of job 0 is held, from every queue.
async fn held(subject: &Subject, state: State) {
    let total = subject.total().await;
    let receipts =
        subject.receipts(vec![keyed(90, "key"), keyed(91, "key").queue("other").priority(-1)]).await;
    expect_eq!(receipts, [Receipt::Existing(id(0)); 2], "pushing the key of a job that is {state}");
    expect_eq!(subject.total().await, total, "pushing the key of a job that is {state} stores nothing");
    let record = subject.is(id(0), state).await;
    expect_eq!(
        (text(&record.body).as_str(), record.priority),
        ("{\"n\":0}", 0),
        "the job that holds the key is not changed"
    );
}

async fn windows_hold(subject: &Subject) {
    let windowed = |number| {
        job(number).id(id(number)).queue("windows").unique(Unique::new("window").within(SECOND * 60))
    };
    subject.push(vec![windowed(10)]).await;
    let delivery: Option<Delivery> = subject.claim(queue_core::Demand::new("windows", 1)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("the job is ready"));
    subject.settle(&delivery, Transition::Complete).await;
    for wait in [Duration::ZERO, SECOND * 60 - MICROSECOND] {
        subject.advance(wait).await;
        let receipts = subject.receipts(vec![windowed(11)]).await;
        expect_eq!(
            receipts,
            [Receipt::Existing(id(10))],
            "pushing the key of a finished job within its window"
        );
    }
    subject.advance(MICROSECOND).await;
    expect_eq!(
        subject.receipts(vec![windowed(11)]).await,
        [Receipt::Stored(id(11))],
        "pushing the key at the window's end"
    );
    a_retry_begins_no_window_anew(subject).await;
    a_window_ends_for_its_own_job_alone(subject).await;
    a_window_keeps_the_key_from_a_retry_too(subject).await;
}

fn within(number: u32, key: &str, window: Duration) -> NewJob {
    job(number).id(id(number)).queue("windows").unique(Unique::new(key).within(window))
}

async fn complete_windowed(subject: &Subject, number: u32) {
    let delivery = subject.claim(queue_core::Demand::new("windows", 9)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("the job is ready"));
    expect_eq!(delivery.id(), id(number), "the job that is ready");
    subject.settle(&delivery, Transition::Complete).await;
}

async fn a_retry_begins_no_window_anew(subject: &Subject) {
    subject.ok("`delete`", subject.queue().delete(id(11))).await;
    subject.push(vec![within(20, "retried", SECOND * 60)]).await;
    complete_windowed(subject, 20).await;
    subject.advance(SECOND * 30).await;
    subject.ok("`retry` of a job within its window", subject.queue().retry(id(20))).await;
    complete_windowed(subject, 20).await;
    for (wait, receipt) in
        [(SECOND * 30 - MICROSECOND, Receipt::Existing(id(20))), (MICROSECOND, Receipt::Stored(id(21)))]
    {
        subject.advance(wait).await;
        expect_eq!(
            subject.receipts(vec![within(21, "retried", SECOND * 60)]).await,
            [receipt],
            "a window lasts from the push, whether or not its job was retried"
        );
    }
    complete_windowed(subject, 21).await;
}

async fn a_window_ends_for_its_own_job_alone(subject: &Subject) {
    subject.push(vec![within(30, "followed", SECOND * 60)]).await;
    complete_windowed(subject, 30).await;
    let follower = Unique::new("followed").replace();
    let follower = job(31).id(id(31)).queue("windows").unique(follower).delay(SECOND * 3600);
    expect_eq!(
        subject.receipts(vec![follower]).await,
        [Receipt::Stored(id(31))],
        "replacing a job that has finished within its window stores a new one"
    );
    subject.advance(SECOND * 60).await;
    expect_eq!(
        subject.receipts(vec![within(32, "followed", SECOND)]).await,
        [Receipt::Existing(id(31))],
        "the new one holds the key beyond the old one's window"
    );
}

async fn a_window_keeps_the_key_from_a_retry_too(subject: &Subject) {
    subject.push(vec![within(40, "taken", SECOND)]).await;
    complete_windowed(subject, 40).await;
    subject.advance(SECOND).await;
    subject.push(vec![within(41, "taken", SECOND * 60)]).await;
    complete_windowed(subject, 41).await;
    subject
        .fails_with(
            QueueErrorKind::Conflict,
            "`retry` of a job whose key another finished job holds within its window",
            subject.queue().retry(id(40)),
        )
        .await;
    subject.is(id(40), State::Completed).await;
}

/// Q49: Exactly one of k concurrent pushes of a key is stored; so too within one batch.
pub(super) async fn q49_of_many_pushes_of_a_key_one_is_stored(subject: &Subject) {
    let receipts = subject.receipts(vec![keyed(0, "batch"), keyed(1, "batch"), keyed(2, "batch")]).await;
    expect_eq!(
        receipts,
        [Receipt::Stored(id(0)), Receipt::Existing(id(0)), Receipt::Existing(id(0))],
        "one key three times in a batch"
    );

    for round in 0..10 {
        subject.note("eight pushes of a key at once");
        let key = format!("round {round}");
        let pushes = (0..8).map(|number| {
            let (queue, job) = (subject.queue().clone(), keyed(100 + round * 8 + number, &key));
            tokio::spawn(async move { queue.push(vec![job]).await })
        });
        let mut receipts = Vec::new();
        for push in pushes.collect::<Vec<_>>() {
            let answer = push.await.unwrap_or_else(|error| panic!("a pusher: {error}"));
            receipts.extend(answer.unwrap_or_else(|error| panic!("a push of a unique job failed: {error}")));
        }
        let stored: Vec<_> =
            receipts.iter().filter(|receipt| matches!(receipt, Receipt::Stored(_))).collect();
        expect_eq!(stored.len(), 1, "exactly one of eight pushes of a key at once is stored: {receipts:?}");
        let winner = stored.first().map(|receipt| receipt.id());
        assert!(
            receipts.iter().all(|receipt| Some(receipt.id()) == winner),
            "all others name the one that is: {receipts:?}"
        );
        expect_eq!(subject.total().await, u64::from(round) + 2, "how many jobs there are");
    }
}

/// Q50: After the first finishes, the key is free.
pub(super) async fn q50_a_key_is_free_after_its_job_finished(subject: &Subject) {
    subject.push(vec![keyed(0, "key").max_attempts(1)]).await;
    let lost = subject.claim_one().await;
    subject.advance(Lease::DEFAULT_LENGTH).await;
    expect_eq!(lost.id(), id(0), "the job that was claimed");
    let ends = [
        Transition::Complete,
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "why".into() },
    ];
    for (number, end) in (1..).zip(ends) {
        let receipts = subject.receipts(vec![keyed(number, "key")]).await;
        expect_eq!(receipts, [Receipt::Stored(id(number))], "pushing a key whose job has finished");
        let delivery = subject.claim_one().await;
        subject.settle(&delivery, end).await;
    }
    subject.push(vec![keyed(4, "key")]).await;
    subject.ok("`cancel`", subject.queue().cancel(id(4), "why")).await;
    subject.push(vec![keyed(5, "key")]).await;
    subject.ok("`delete`", subject.queue().delete(id(5))).await;
    subject.push(vec![keyed(6, "key")]).await;

    let error = subject
        .fails_with(
            QueueErrorKind::Conflict,
            "`retry` of a finished job whose key is taken now",
            subject.queue().retry(id(1)),
        )
        .await;
    subject.is(id(1), State::Completed).await;
    let delivery = subject.claim_one().await;
    subject.settle(&delivery, Transition::Complete).await;
    subject
        .ok(format!("`retry` once the key is free, after it said `{error}`"), subject.queue().retry(id(1)))
        .await;
    let receipts = subject.receipts(vec![keyed(7, "key")]).await;
    expect_eq!(receipts, [Receipt::Existing(id(1))], "a job that was retried holds its key again");
}

/// Q51: `on_conflict = Replace` updates payload, `run_at` and priority of a job that has not started; of one that has, it stores a new one to follow.
pub(super) async fn q51_replace_updates_a_job_that_has_not_started_and_follows_one_that_has(
    subject: &Subject,
) {
    let replacing = |number| job(number).id(id(number)).unique(Unique::new("key").replace());
    subject.push(vec![replacing(0).delay(SECOND * 60), job(9).id(id(9))]).await;

    let receipts = subject.receipts(vec![replacing(1).delay(SECOND * 10).priority(-5)]).await;

    expect_eq!(receipts, [Receipt::Replaced(id(0))], "replacing a job that has not started");
    let record = subject.is(id(0), State::Scheduled).await;
    expect_eq!(
        (text(&record.body).as_str(), record.priority),
        ("{\"n\":1}", -5),
        "payload and priority of the new one"
    );
    expect_eq!(record.run_at, subject.now().saturating_add(SECOND * 10), "`run_at` of the new one");
    expect_eq!(
        subject.ids(&Filter::all()).await,
        [0, 9].map(id),
        "a job that was replaced is the same job, in the same place"
    );
    expect_eq!(
        subject.receipts(vec![replacing(2).priority(-6)]).await,
        [Receipt::Replaced(id(0))],
        "replacing it again"
    );
    let first = subject.claim_one().await;
    expect_eq!(
        (first.id(), text(&first.body).as_str()),
        (id(0), "{\"n\":2}"),
        "the job that was made ready and urgent"
    );

    let receipts = subject.receipts(vec![replacing(3).priority(-7)]).await;

    expect_eq!(receipts, [Receipt::Stored(id(3))], "replacing a job that has started stores a new one");
    expect_eq!(
        text(&subject.is(id(0), State::Executing).await.body),
        "{\"n\":2}",
        "the job that has started is not changed"
    );
    expect_eq!(
        subject.receipts(vec![replacing(4)]).await,
        [Receipt::Replaced(id(3))],
        "the new one holds the key"
    );
    subject.settle(&first, Transition::Complete).await;
    expect_eq!(
        subject.receipts(vec![keyed(5, "key")]).await,
        [Receipt::Existing(id(3))],
        "and keeps it after the old one's end"
    );
    expect_eq!(ids_of(&subject.claim_up_to(9).await), [9, 3].map(id), "what is ready now");
}
