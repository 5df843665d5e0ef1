//! Laws about discards: the job that is stored with one, and the report of one.

use std::sync::Arc;

use queue_core::backend::ExpiredJob;
use queue_core::{
    Delivery, Demand, Discarded, Fence, Lease, Limits, NewJob, OnDiscard, QueueError, QueueErrorKind,
    QueueName, Receipt, Settled, Settlement, State, Transition,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, json, queue, text};
use super::lease::every_transition;
use crate::law::expect_eq;

/// The queue of the jobs that are stored on a discard.
const ALERTS: QueueName = QueueName::from_static("alerts");

fn alert() -> Arc<OnDiscard> {
    Arc::new(OnDiscard::named("alert", "job", 7).queue(ALERTS).priority(-3))
}

/// Returns a job on whose discard a job is stored.
fn job_with_alert(number: u32) -> NewJob {
    let mut job = job(number).id(id(number));
    job.on_discard = Some(alert());
    job
}

fn discard(error: &str) -> Transition {
    Transition::Discard { error: error.to_owned() }
}

/// Claims the only job that was stored on a discard.
async fn stored_job(harness: &QueueHarness) -> Delivery {
    let mut stored = harness.claim(Demand::new(ALERTS, 9)).await;
    expect_eq!(stored.len(), 1, "the jobs that were stored on a discard: {stored:?}");
    stored.remove(0)
}

async fn nothing_is_stored(harness: &QueueHarness, what: &str) {
    let stored = harness.claim(Demand::new(ALERTS, 9)).await;
    assert!(stored.is_empty(), "nothing must be stored after {what}, and the claim returned {stored:?}");
}

/// Returns the discarded job that a job carries.
fn discarded(delivery: &Delivery) -> Discarded {
    let arguments = delivery.body.decode::<std::collections::BTreeMap<String, Discarded>>();
    let mut arguments = arguments
        .unwrap_or_else(|error| panic!("the payload must be an object with a discarded job: {error}"));
    arguments
        .remove("job")
        .unwrap_or_else(|| panic!("the payload must have the parameter `job`: {arguments:?}"))
}

fn errors(discarded: &Discarded) -> Vec<(u32, &str)> {
    discarded.errors.iter().map(|error| (error.attempt, error.message.as_str())).collect()
}

/// Q105: A discard stores the job that the discarded one names, in the same step, by a settlement and by an expired lease alike, and no other end stores it.
pub(super) async fn q105_a_discard_stores_the_job_that_it_names(harness: &QueueHarness) {
    a_settlement_stores_it(harness).await;
    no_other_end_stores_it(harness).await;
    an_expiry_stores_it(harness).await;
    it_comes_after_earlier_followups(harness).await;
    the_next_job_of_a_key_does_not_prevent_it(harness).await;
    its_own_discard_stores_nothing(harness).await;
    an_operators_retry_stores_it_again(harness).await;
    a_default_applies_to_jobs_that_say_nothing(harness).await;
    it_is_kept_on_every_way_in(harness).await;
    nothing_is_lost_of_a_large_job(harness).await;
}

async fn a_settlement_stores_it(harness: &QueueHarness) {
    harness.push(vec![job_with_alert(0).meta("tenant", "acme")]).await;
    expect_eq!(harness.get(id(0)).await.on_discard, Some(alert()), "the setting of a stored job");
    let first = harness.claim_one().await;
    harness.settle(&first, Transition::Retry { at: harness.now(), error: "first".into() }).await;
    let second = harness.claim_one().await;
    let stale = Settlement::new(first.lease, discard("stale"));
    expect_eq!(harness.settled(vec![stale]).await, [Settled::Stale], "a discard under a lost lease");
    nothing_is_stored(harness, "a discard under a lost lease").await;
    let mut waiter = harness.claiming(Demand::new(ALERTS, 9));
    waiter.waits(&**harness.queue()).await;

    harness.settle(&second, discard("no\n\"card\" ü\u{1}")).await;

    let woken = harness.ok("a claim that waited for a discard", waiter.wakes()).await;
    expect_eq!(woken.len(), 1, "the jobs that were stored on a discard: {woken:?}");
    let alert = woken.first().unwrap_or_else(|| panic!("one job"));
    expect_eq!((alert.name.as_str(), alert.queue.as_str()), ("alert", "alerts"), "name and queue");
    expect_eq!((alert.priority, alert.max_attempts), (-3, 7), "priority and attempts");
    expect_eq!((alert.pushed_at, alert.run_at), (harness.now(), harness.now()), "when it was stored");
    expect_eq!(alert.meta.get("tenant"), Some("acme"), "the meta of the discarded job");
    let discarded = discarded(alert);
    expect_eq!(
        (discarded.id, discarded.name.as_str(), discarded.queue.as_str()),
        (id(0), "work", "default"),
        "the discarded job"
    );
    expect_eq!((discarded.attempt, discarded.max_attempts), (2, 5), "its attempts");
    expect_eq!(errors(&discarded), [(1, "first"), (2, "no\n\"card\" ü\u{1}")], "its errors");
    expect_eq!(discarded.errors, harness.get(id(0)).await.errors, "its errors, as `get` shows them");
    expect_eq!(discarded.payload_json(), "{\"n\":0}", "its payload");
    harness.settle(alert, Transition::complete()).await;
}

async fn no_other_end_stores_it(harness: &QueueHarness) {
    let is_discard = |transition: &Transition| matches!(transition, Transition::Discard { .. });
    for (number, transition) in (1..).zip(every_transition(harness.now())) {
        if is_discard(&transition) {
            continue;
        }
        harness.push(vec![job_with_alert(number)]).await;
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, transition.clone()).await;
        nothing_is_stored(harness, transition.as_str()).await;
        harness.ok("`delete`", harness.queue().delete(id(number))).await;
    }
}

async fn an_expiry_stores_it(harness: &QueueHarness) {
    harness.push(vec![job_with_alert(10).max_attempts(2)]).await;
    harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.claim_one().await;
    nothing_is_stored(harness, "an expired lease with an attempt left").await;

    harness.advance(Lease::DEFAULT_LENGTH).await;

    let alert = stored_job(harness).await;
    let discarded = discarded(&alert);
    expect_eq!((discarded.id, discarded.attempt), (id(10), 2), "the job whose last lease expired");
    let last = discarded.last_error();
    assert!(last.contains("lease") && last.contains("expired"), "the last error must say so: {last}");
    expect_eq!(discarded.errors, harness.get(id(10)).await.errors, "its errors, as `get` shows them");
    harness.settle(&alert, Transition::complete()).await;

    // An operator's call may be the first that notices.
    harness.push(vec![job_with_alert(11).max_attempts(1)]).await;
    harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.ok("`delete` of a job whose last lease has expired", harness.queue().delete(id(11))).await;
    let alert = stored_job(harness).await;
    expect_eq!(
        self::discarded(&alert).id,
        id(11),
        "the job that was deleted after its last lease had expired"
    );
    harness.settle(&alert, Transition::complete()).await;
}

/// A batch takes effect one settlement after another, and so stores its jobs in that order.
async fn it_comes_after_earlier_followups(harness: &QueueHarness) {
    harness.push(vec![job(12).id(id(12)), job_with_alert(13), job(14).id(id(14))]).await;
    let ends = [Transition::complete(), discard("no"), Transition::complete()];
    let batch =
        harness.claim_up_to(3).await.into_iter().zip(ends).zip(15..).map(|((delivery, end), number)| {
            let mut settlement = Settlement::new(delivery.lease, end);
            settlement.followups = vec![job(number).id(id(number)).queue(ALERTS).priority(-3)];
            settlement
        });

    expect_eq!(harness.settled(batch.collect()).await, [Settled::Applied; 3], "a batch with a discard");

    let stored = harness.claim(Demand::new(ALERTS, 9)).await;
    let places = stored.iter().map(|stored| [15, 16, 17].map(id).iter().position(|id| *id == stored.id()));
    expect_eq!(places.collect::<Vec<_>>(), [Some(0), None, Some(1), Some(2)], "the order of what was stored");
    let ends = stored.into_iter().map(|stored| Settlement::new(stored.lease, Transition::complete()));
    harness.settled(ends.collect()).await;
}

/// A job whose last lease has expired holds its key no longer, although the call that finds that need not be the one that discards it.
async fn the_next_job_of_a_key_does_not_prevent_it(harness: &QueueHarness) {
    harness.push(vec![job_with_alert(18).max_attempts(1).unique("next")]).await;
    harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;

    harness.push(vec![job(19).id(id(19)).unique("next").delay(SECOND)]).await;

    harness.is(id(18), State::Discarded).await;
    let alert = stored_job(harness).await;
    expect_eq!(discarded(&alert).id, id(18), "the job whose key another one holds now");
    harness.settle(&alert, Transition::complete()).await;
    let retry = harness.queue().retry(id(18));
    harness.fails_with(QueueErrorKind::Conflict, "`retry` of a job whose key is taken", retry).await;
    let receipts = harness.receipts(vec![job(90).id(id(90)).unique("next")]).await;
    expect_eq!(receipts, [Receipt::Existing(id(19))], "the job that holds the key");
    harness.ok("`delete`", harness.queue().delete(id(19))).await;
}

async fn its_own_discard_stores_nothing(harness: &QueueHarness) {
    harness.push(vec![job_with_alert(20)]).await;
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, discard("never")).await;
    let mut alerts = harness.claim(Demand::new(ALERTS, 9).on_discard(alert())).await;
    let alert = alerts.pop().unwrap_or_else(|| panic!("a discard must store a job"));

    harness.settle(&alert, discard("nor this")).await;

    nothing_is_stored(harness, "the discard of a job that was stored on a discard").await;
}

async fn an_operators_retry_stores_it_again(harness: &QueueHarness) {
    harness.ok("an operator's retry", harness.queue().retry(id(20))).await;
    let again = harness.claim_one().await;

    harness.settle(&again, discard("again")).await;

    let alert = stored_job(harness).await;
    expect_eq!(errors(&discarded(&alert)), [(1, "never"), (2, "again")], "the errors of a second discard");
    harness.settle(&alert, Transition::complete()).await;
}

async fn a_default_applies_to_jobs_that_say_nothing(harness: &QueueHarness) {
    let own = Arc::new(OnDiscard::named("own", "job", 1).queue(ALERTS));
    let mut says_own = job(31).id(id(31));
    says_own.on_discard = Some(own);
    let mut says_nothing = job(32).id(id(32));
    says_nothing.on_discard = Some(Arc::new(OnDiscard::nothing()));
    harness.push(vec![job(30).id(id(30)), says_own, says_nothing]).await;
    let with_default = || Demand::new("default", 3).on_discard(alert());
    let discards = |deliveries: Vec<Delivery>| {
        deliveries
            .into_iter()
            .map(|delivery| Settlement::new(delivery.lease, discard("no")))
            .collect::<Vec<_>>()
    };

    let claimed = harness.claim(with_default()).await;
    expect_eq!(harness.settled(discards(claimed)).await, [Settled::Applied; 3], "three discards");

    let stored = harness.claim(Demand::new(ALERTS, 9)).await;
    let names: Vec<_> = stored.iter().map(|stored| (stored.name.as_str(), discarded(stored).id)).collect();
    expect_eq!(names, [("alert", id(30)), ("own", id(31))], "the stored jobs and their discarded jobs");
    let ends =
        stored.iter().map(|stored| Settlement::new(stored.lease.clone(), Transition::complete())).collect();
    harness.settled(ends).await;
    expect_eq!(harness.get(id(30)).await.on_discard, None, "a default is no setting of the job");

    // A default lasts for one lease.
    harness.push(vec![job(33).id(id(33)).max_attempts(1)]).await;
    let released = harness.claim(with_default()).await;
    let release = released.first().unwrap_or_else(|| panic!("a job must be ready"));
    harness.settle(release, Transition::Release).await;
    harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    nothing_is_stored(harness, "an expired lease of a claim without a default").await;
    harness.push(vec![job(34).id(id(34)).max_attempts(1)]).await;
    harness.claim(with_default()).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    let alert = stored_job(harness).await;
    expect_eq!(discarded(&alert).id, id(34), "the job of an expired lease of a claim with a default");
    harness.settle(&alert, Transition::complete()).await;
}

async fn it_is_kept_on_every_way_in(harness: &QueueHarness) {
    harness.push_one(job_with_alert(40).queue("ways")).await;
    harness
        .push(vec![job_with_alert(41).queue("ways").unique("key"), job(42).id(id(42)).queue("ways")])
        .await;
    harness.push(vec![job(43).id(id(43))]).await;
    let parent = harness.claim_one().await;
    let completion = Settlement::new(parent.lease, Transition::complete())
        .followups(vec![job_with_alert(44).queue("ways"), job_with_alert(45).queue("ways").unique("other")]);
    expect_eq!(harness.settled(vec![completion]).await, [Settled::Applied], "a completion with followups");

    for (number, expected) in [(40, true), (41, true), (42, false), (44, true), (45, true)] {
        let stored = harness.get(id(number)).await.on_discard;
        expect_eq!(stored, expected.then(alert), "the setting of job {number}");
    }
    expect_eq!(harness.count(&queue("ways"), State::Available).await, 5, "the jobs that were stored");
}

async fn nothing_is_lost_of_a_large_job(harness: &QueueHarness) {
    let payload = format!("\"{}\"", "x".repeat(Limits::default().payload - 2));
    let mut large = NewJob::new("work", json(&payload)).id(id(50));
    large.on_discard = Some(alert());
    harness.push(vec![large]).await;
    let error = "\u{1}".repeat(Limits::TEXT);
    for _ in 0..3 {
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, Transition::Retry { at: harness.now(), error: error.clone() }).await;
    }
    let delivery = harness.claim_one().await;

    harness.settle(&delivery, discard(&error)).await;

    let alert = stored_job(harness).await;
    let discarded = discarded(&alert);
    expect_eq!(discarded.errors.len(), 4, "the errors of a job with the largest payload");
    assert!(
        discarded.errors.iter().all(|kept| kept.message == error),
        "an error must be kept whole: {} bytes",
        text(&alert.body).len()
    );
    assert!(discarded.payload_json() == payload, "a payload of the largest size must be kept whole");
    harness.settle(&alert, Transition::complete()).await;
}

/// Q106: A handle that finds a job discarded by an expired lease reports it once, to one listener, whichever call finds it.
pub(super) async fn q106_each_job_discarded_by_an_expiry_is_reported_once(harness: &QueueHarness) {
    let queue = harness.queue().clone();
    let feed = queue.expiry_feed().unwrap_or_else(|| panic!("a queue must report what it finds expired"));
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let listen = |name: &'static str| {
        let sender = sender.clone();
        move |job: &ExpiredJob| drop(sender.send((name, job.clone())))
    };
    let first = feed.subscribe([QueueName::new("first")], listen("first"));
    let second = feed.subscribe([QueueName::DEFAULT], listen("second"));
    let expired = |number: u32, queue: &str, fence: u64| {
        let attempt = u32::try_from(fence).unwrap_or(u32::MAX);
        ExpiredJob::new(id(number), "work".into(), queue.into(), attempt, Fence(fence))
    };
    let mut next = async |what: &str| {
        harness.ok(what, async { reports.recv().await.ok_or_else(QueueError::closed) }).await
    };

    // A claim that waits.
    harness.push(vec![job(0).id(id(0)).max_attempts(2)]).await;
    harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.claim_one().await;
    let mut waiter = harness.claiming(Demand::new("unused", 1));
    waiter.waits(&**harness.queue()).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    waiter.waits(&**harness.queue()).await;
    let report = next("the report of a job whose last lease expired while a claim waited").await;
    expect_eq!(
        report,
        ("second", expired(0, "default", 2)),
        "the listener that serves the queue, and the job"
    );
    drop(waiter);

    // An operator's call.
    harness.push(vec![job(1).id(id(1)).max_attempts(1).queue("first")]).await;
    harness.claim(Demand::new("first", 1)).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.ok("`delete` of a job whose last lease has expired", harness.queue().delete(id(1))).await;
    let report = next("the report of a job that an operator deleted after its last lease had expired").await;
    expect_eq!(report, ("first", expired(1, "first", 1)), "the listener that serves the queue, and the job");

    // Only a discard by an expiry is reported.
    harness.push(vec![job(2).id(id(2)), job(3).id(id(3)), job(4).id(id(4)).max_attempts(1)]).await;
    let claimed = harness.claim_up_to(3).await;
    let discarded = claimed.iter().find(|delivery| delivery.id() == id(2));
    harness.settle(discarded.unwrap_or_else(|| panic!("three jobs must be ready")), discard("no")).await;
    harness.ok("`cancel` of an executing job", harness.queue().cancel(id(4), "stop")).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.is(id(4), State::Cancelled).await;
    harness.claim_one().await;

    // A job of a queue that no listener serves.
    harness.push(vec![job(5).id(id(5)).max_attempts(1).queue("third")]).await;
    harness.claim(Demand::new("third", 1)).await;
    drop(second);
    harness.advance(Lease::DEFAULT_LENGTH).await;
    harness.claim(Demand::new("unused", 1)).await;
    let report = next("the report of a job of a queue that no listener serves").await;
    expect_eq!(report, ("first", expired(5, "third", 1)), "the first listener, and the job");
    drop(first);
    harness.claim(Demand::new("unused", 1)).await;
    let more = reports.try_recv().ok();
    assert!(more.is_none(), "no other job must be reported, and {more:?} was");
}
