//! Laws about the results of completed jobs.

use queue_core::admin::Filter;
use queue_core::{
    Body, Delivery, JobRecord, Limits, NewJob, QueueErrorKind, Settled, Settlement, State, StoredResult,
    Transition,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job};
use super::lease::every_transition;
use crate::law::expect_eq;

/// Q83: A result is stored if and only if its completion is, byte for byte, and `get` and `list` show it for as long as the job
/// is kept and completed.
pub(super) async fn q83_a_result_is_stored_if_and_only_if_its_completion_is(harness: &QueueHarness) {
    is_shown_with_its_completion(harness).await;
    is_not_stored_without_it(harness).await;
    is_gone_after_a_retry(harness).await;
    is_bounded_like_a_payload(harness).await;
}

async fn is_shown_with_its_completion(harness: &QueueHarness) {
    let large = format!("\"{}\"", "→".repeat((Limits::default().payload - 2) / 3));
    let results =
        [Some("null"), None, Some("{\"url\":  \"\\u0000\\\"ü🦀\", \"n\":1.50}"), Some(&*large), Some("\"\"")];
    let deliveries = claimed(harness, 0, results.len()).await;
    let ends = deliveries.iter().zip(results).map(|(delivery, result)| {
        Settlement::new(delivery.lease.clone(), result.map_or(Transition::complete(), completed_with))
    });

    let settled = harness.settled(ends.collect()).await;

    assert!(
        settled.iter().all(|settled| *settled == Settled::Applied),
        "each completion applies: {settled:?}"
    );
    for (number, result) in (0..).zip(results) {
        let record = harness.is(id(number), State::Completed).await;
        expect_eq!(shown(&record), result, "the result that `get` shows of job {number}");
    }
    let listed = harness.list(&Filter::all().state(State::Completed), 2).await;
    expect_eq!(listed.iter().map(shown).collect::<Vec<_>>(), results, "the results that `list` shows");
    if let Some(reopened) = harness.fixture().reopen().await {
        let record = harness.with_queue(reopened).is(id(2), State::Completed).await;
        expect_eq!(shown(&record), results[2], "the result that another handle on the store shows");
    }
}

async fn is_not_stored_without_it(harness: &QueueHarness) {
    let delivery = claimed(harness, 10, 1).await.remove(0);
    let mut stale = Settlement::new(delivery.lease.clone(), completed_with("1"));
    stale.lease.fence.0 += 1;
    expect_eq!(harness.settled(vec![stale]).await, [Settled::Stale], "a completion under another lease");
    expect_eq!(shown(&harness.is(id(10), State::Executing).await), None, "the result of a stale completion");
    harness.settle(&delivery, Transition::complete()).await;
    let again = Settlement::new(delivery.lease, completed_with("2"));
    expect_eq!(harness.settled(vec![again]).await, [Settled::Stale], "a second completion");
    expect_eq!(shown(&harness.is(id(10), State::Completed).await), None, "the result of a second completion");
    for (number, transition) in (11..).zip(every_transition(harness.now().saturating_add(SECOND * 60))) {
        let delivery = claimed(harness, number, 1).await.remove(0);
        harness.settle(&delivery, transition.clone()).await;
        expect_eq!(shown(&harness.get(id(number)).await), None, "the result after {transition:?}");
        harness.ok("`delete`", harness.queue().delete(id(number))).await;
    }
}

async fn is_gone_after_a_retry(harness: &QueueHarness) {
    let first = claimed(harness, 30, 1).await.remove(0);
    harness.settle(&first, completed_with("\"first\"")).await;

    harness.ok("`retry` of a completed job", harness.queue().retry(id(30))).await;

    expect_eq!(shown(&harness.is(id(30), State::Available).await), None, "the result of a job to run again");
    let second = harness.claim_one().await;
    expect_eq!(
        shown(&harness.is(id(30), State::Executing).await),
        None,
        "the result of a job that runs again"
    );
    harness.settle(&second, completed_with("\"second\"")).await;
    let record = harness.is(id(30), State::Completed).await;
    expect_eq!(shown(&record), Some("\"second\""), "the result of the second completion");
}

async fn is_bounded_like_a_payload(harness: &QueueHarness) {
    let large = format!("\"{}\"", "x".repeat(Limits::default().payload - 1));
    let deliveries = claimed(harness, 40, 2).await;
    let results = ["1", &large];
    let batch = deliveries.iter().zip(results).map(|(delivery, result)| {
        let followup = NewJob::new("work", Body::stored("1")).queue("next");
        Settlement::new(delivery.lease.clone(), completed_with(result)).followups(vec![followup])
    });

    let call = harness.queue().settle(batch.collect());
    let error = harness
        .fails_with(QueueErrorKind::Invalid, "a settlement whose last result is too large", call)
        .await;

    let text = error.to_string();
    let (found, limit) = (large.len().to_string(), Limits::default().payload.to_string());
    assert!(
        text.contains("result") && text.contains(&found) && text.contains(&limit),
        "the error must name the result, its size {found} and the limit {limit}: {text}"
    );
    for number in [40, 41] {
        harness.is(id(number), State::Executing).await;
    }
    let followups = harness.ids(&Filter::all().queue("next")).await;
    assert!(followups.is_empty(), "a followup of a refused batch was stored: {followups:?}");
}

/// Pushes and claims `count` jobs, numbered from `first`.
async fn claimed(harness: &QueueHarness, first: u32, count: usize) -> Vec<Delivery> {
    harness.push((first..).take(count).map(|number| job(number).id(id(number))).collect()).await;
    let deliveries = harness.claim_up_to(count).await;
    expect_eq!(deliveries.len(), count, "all of them are claimed");
    deliveries
}

fn completed_with(result: &str) -> Transition {
    Transition::complete_with(StoredResult::stored(result))
}

fn shown(record: &JobRecord) -> Option<&str> {
    record.result.as_ref().map(StoredResult::as_str)
}
