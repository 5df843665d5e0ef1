//! Jobs pushed in the application's own transaction (D11).

use std::time::Duration;

use queue_core::Demand;

use super::harness::StoreHarness;
use crate::conformance::jobs::{id, job};
use crate::law::expect_eq;

pub(super) async fn d11_a_job_pushed_in_a_transaction_appears_if_and_only_if_it_commits(
    harness: &StoreHarness,
) {
    let queue = harness.open().await;
    for (number, is_committed) in [(0, true), (1, false), (2, true), (3, false)] {
        let Some(mut transaction) = harness.store().begin().await else { return };
        let claim = tokio::spawn({
            let queue = queue.clone();
            async move { queue.claim(&Demand::new("default", 1)).await }
        });
        let push = transaction.push(job(number).id(id(number)));
        harness.steps().ok("a push in a transaction", push).await;
        let seen = harness.steps().ok("`get` beside an open transaction", queue.get(id(number))).await;
        assert!(
            seen.is_none(),
            "a job is visible before the transaction that pushed it has committed: {seen:?}"
        );

        if is_committed {
            harness
                .steps()
                .finishes("the commit of the application's transaction", transaction.commit())
                .await;
            let claimed =
                harness.steps().finishes("a claim that waits for a job of a transaction", claim).await;
            let claimed = claimed.unwrap_or_else(|error| panic!("the claim: {error}"));
            let claimed = claimed.unwrap_or_else(|error| panic!("the claim: {error}"));
            let claimed: Vec<_> = claimed.iter().map(queue_core::Delivery::id).collect();
            expect_eq!(claimed, [id(number)], "the job of the committed transaction");
        } else {
            harness
                .steps()
                .finishes("the rollback of the application's transaction", transaction.rollback())
                .await;
            claim.abort();
            let seen = harness.steps().ok("`get` after a rollback", queue.get(id(number))).await;
            assert!(seen.is_none(), "a job of a rolled-back transaction is stored: {seen:?}");
            let now = Demand::new("default", 1).wait(Duration::ZERO);
            let claimed = harness.steps().ok("a claim after a rollback", queue.claim(&now)).await;
            assert!(claimed.is_empty(), "a job of a rolled-back transaction was delivered: {claimed:?}");
        }
    }
}
