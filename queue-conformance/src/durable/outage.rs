//! Stores that are unavailable for a while (D4, D14).

use std::collections::BTreeSet;
use std::sync::Arc;

use queue_core::backend::error_chain;
use queue_core::{Admin, Demand, QueueError, QueueErrorKind, Receipt};

use super::harness::StoreHarness;
use super::process::{BATCH, id};
use super::store::Outage;
use crate::conformance::jobs::job;
use crate::law::expect_refusal;

pub(super) async fn d4_an_outage_is_reported_and_service_resumes_after_it(harness: &StoreHarness) {
    let queue = harness.open().await;
    for (round, outage) in (0..).zip(harness.store().outages()) {
        outlives(harness, &queue, &*outage, round).await;
    }
    if let Some(served) = harness.store().on_private_server().await {
        let harness = harness.with_store(served.store);
        let queue = harness.open().await;
        outlives(&harness, &queue, &*served.server, 0).await;
    }
}

/// Pushes before, during and after an outage. Then checks that the store agrees with the answers.
async fn outlives(harness: &StoreHarness, queue: &Arc<dyn Admin>, outage: &dyn Outage, round: u32) {
    let [before, within, after] = [0, 1, 2].map(|part| round * 3 + part);
    push(queue, before).await.unwrap_or_else(|error| panic!("a push before the outage failed: {error}"));
    harness.steps().note(format!("outage: {}", outage.name()));
    outage.begin().await;

    let answer =
        harness.steps().finishes(format!("a push while {}", outage.name()), push(queue, within)).await;
    if let Err(error) = &answer {
        assert!(
            error.is_transient(),
            "a push while {} failed with an error that isn't transient, although this outage ends: {} ({:?})",
            outage.name(),
            error_chain(error),
            error.kind()
        );
    }
    outage.end().await;

    harness.retry_until_ok(&format!("a push after {}", outage.name()), || push(queue, after)).await;
    let stored: BTreeSet<_> = harness.all(&**queue).await.into_keys().collect();
    let of = |batch| (0..BATCH).filter(|place| stored.contains(&id(batch, *place))).count();
    let whole = BATCH as usize;
    assert!(of(before) == whole, "{}: jobs that were acknowledged before it are missing", outage.name());
    assert!(of(after) == whole, "{}: jobs that were acknowledged after it are missing", outage.name());
    match answer {
        Ok(_) => assert!(
            of(within) == whole,
            "{}: jobs that were acknowledged during it are missing",
            outage.name()
        ),
        Err(_) => assert!(
            [0, whole].contains(&of(within)),
            "{}: a push that failed left {} jobs of {whole}",
            outage.name(),
            of(within)
        ),
    }
    let demand = Demand::new("default", whole * 3);
    let mut claimed = 0;
    while claimed < 2 * whole {
        claimed += harness.retry_until_ok("a claim on the same handle", || queue.claim(&demand)).await.len();
    }
}

async fn push(queue: &Arc<dyn Admin>, batch: u32) -> Result<Vec<Receipt>, QueueError> {
    queue.push((0..BATCH).map(|place| job(batch).id(id(batch, place))).collect()).await
}

pub(super) async fn d14_a_call_waits_for_a_lock_within_its_bound_and_leaves_no_partial_batch(
    harness: &StoreHarness,
) {
    let queue = harness.open().await;
    let Some(locked) = harness.store().locked().await else { return };

    locked.lock.begin().await;
    let step = format!("a push under a lock, bounded by {:?},", locked.bound);
    let answer = harness.steps().finishes(&*step, push(&locked.queue, 0)).await;
    expect_refusal(QueueErrorKind::Unavailable, &step, answer);
    locked.lock.end().await;
    harness.retry_until_ok("a push after the lock", || push(&locked.queue, 1)).await;
    let stored = harness
        .all(&*queue)
        .await
        .into_keys()
        .filter(|stored| (0..BATCH).any(|place| *stored == id(0, place)));
    assert!(stored.count() == 0, "a push was refused as unavailable, and its jobs are stored");

    locked.lock.begin().await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { push(&queue, 2).await }
    });
    locked.lock.end().await;
    let waited = harness.steps().finishes("a push that waits for a lock until it is released", waiting).await;
    let waited = waited.unwrap_or_else(|error| panic!("the push: {error}"));
    waited.unwrap_or_else(|error| {
        panic!("a push failed that waited for a lock within its bound: {}", error_chain(&error))
    });
}
