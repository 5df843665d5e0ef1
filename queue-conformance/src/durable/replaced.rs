//! Stores whose contents are replaced while a program has them open (D28).

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Admin, Demand, NewJob, QueueName, Receipt, Settled, Settlement, State, Transition, Unique};

use super::harness::StoreHarness;
use super::store::Outage;
use crate::conformance::jobs::{id, job};
use crate::law::expect_eq;

/// The queues that the program uses, in the order of their first use. Another program uses them in another order later.
const IMAGES: &str = "images";
const PAYMENTS: &str = "payments";
const REPORTS: &str = "reports";
const WAITED_FOR: &str = "waited-for";

pub(super) async fn d28_a_stored_job_is_in_the_queue_of_its_receipt_after_the_store_was_replaced(
    harness: &StoreHarness,
) {
    for place in 0.. {
        let harness = harness.afresh().await;
        let queue = harness.open().await;
        harness.push(&*queue, vec![job(0).queue(IMAGES)]).await;
        let replacement = harness.store().replacements().await.into_iter().nth(place);
        let Some(replacement) = replacement else { return };
        outlives(&harness, queue, &*replacement).await;
    }
}

async fn outlives(harness: &StoreHarness, queue: std::sync::Arc<dyn Admin>, replacement: &dyn Outage) {
    for name in [PAYMENTS, REPORTS, WAITED_FOR] {
        harness.push(&*queue, vec![job(0).queue(name)]).await;
    }
    let demand = Demand::of([IMAGES, PAYMENTS, REPORTS, WAITED_FOR].map(QueueName::from), 10);
    harness.steps().ok("a claim of all jobs", queue.claim(&demand)).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.claim(&Demand::new(WAITED_FOR, 1)).await }
    });
    harness.steps().note(replacement.name());
    replacement.begin().await;
    let other = harness.open().await;
    let first = vec![job(1).queue(REPORTS).id(id(1)), job(2).queue(PAYMENTS).id(id(2))];
    harness.push(&*other, first).await;

    let new = |number: u32, name: &str| job(number).queue(name).id(id(number));
    let batches = [
        vec![new(10, PAYMENTS)],
        vec![new(11, IMAGES), new(12, PAYMENTS), new(13, REPORTS)],
        vec![new(14, PAYMENTS).unique("order-1")],
        vec![new(15, PAYMENTS).unique(Unique::new("order-1").replace())],
        vec![new(16, PAYMENTS).delay(Duration::from_millis(1))],
    ];
    let what = replacement.name();
    for jobs in batches {
        let step = format!("a push by the program that had the store open when {what}");
        match harness.steps().finishes(step, queue.push(jobs.clone())).await {
            Ok(receipts) => {
                for (job, receipt) in jobs.into_iter().zip(receipts) {
                    is_stored(harness, &*other, job, receipt, what).await;
                }
            }
            Err(error) => harness.steps().note(format!("a push was refused: {}", error_chain(&error))),
        }
    }
    settles(harness, &*queue, &*other, what).await;

    harness.push(&*other, vec![new(30, WAITED_FOR)]).await;
    let step = format!("a claim that waited when {what}");
    let claimed =
        harness.steps().finishes(step, waiting).await.unwrap_or_else(|error| panic!("the claim: {error}"));
    if let Ok(claimed) = claimed {
        let claimed: Vec<_> =
            claimed.iter().map(|delivery| (delivery.id(), delivery.queue.clone())).collect();
        expect_eq!(claimed, [(id(30), WAITED_FOR.into())], "a claim that waited when {what}");
    }
    replacement.end().await;
}

/// Checks that other programs find a job in the queue that its push named.
async fn is_stored(harness: &StoreHarness, other: &dyn Admin, job: NewJob, receipt: Receipt, what: &str) {
    let stored = harness.steps().ok("`get` by another program", other.get(receipt.id())).await;
    let Some(stored) = stored else {
        panic!("{what}: a push was acknowledged with {receipt:?}, and another program does not find the job")
    };
    expect_eq!(stored.queue, job.queue, "{what}: the queue of a job that was acknowledged with {receipt:?}");
    harness.is_in(other, receipt.id(), State::Available).await;
    let demand = Demand::new(job.queue.clone(), 100);
    let found = async {
        // A claim skips a job that another claim is making ready at this moment.
        let mut is_found = false;
        while !is_found {
            let claimed = harness.steps().ok("a claim by another program", other.claim(&demand)).await;
            is_found = claimed.iter().any(|delivery| delivery.id() == receipt.id());
            let back =
                claimed.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::Release));
            harness.steps().ok("a settlement", other.settle(back.collect())).await;
        }
    };
    let step = format!(
        "{what}: a push to `{}` was acknowledged with {receipt:?}, and a claim that finds the job",
        job.queue
    );
    harness.steps().finishes(step, found).await;
}

/// Checks that the program's settlements store their followups in the right queues.
async fn settles(harness: &StoreHarness, queue: &dyn Admin, other: &dyn Admin, what: &str) {
    let demand = Demand::new(REPORTS, 1).wait(Duration::ZERO);
    let step = format!("a claim by the program that had the store open when {what}");
    let Ok(claimed) = harness.steps().finishes(step, queue.claim(&demand)).await else { return };
    for delivery in claimed {
        expect_eq!(delivery.queue, QueueName::from(REPORTS), "{what}: the queue of a job that was claimed");
        let mut settlement = Settlement::new(delivery.lease, Transition::complete());
        let followup = job(20).queue(PAYMENTS).id(id(20));
        settlement.followups.push(followup.clone());
        let step = format!("a settlement by the program that had the store open when {what}");
        let settled = harness.steps().finishes(step, queue.settle(vec![settlement])).await;
        if settled.is_ok_and(|settled| settled == [Settled::Applied]) {
            is_stored(harness, other, followup, Receipt::Stored(id(20)), what).await;
        }
    }
}
