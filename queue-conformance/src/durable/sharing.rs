//! Several programs on one store (D6, D13).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue_core::{Admin, Demand, JobId, Settlement, Transition};

use super::harness::StoreHarness;
use super::process::Role;
use crate::conformance::jobs::job;

/// How many jobs they share.
const JOBS: u32 = 200;

pub(super) async fn d6_any_number_of_processes_share_one_queue(harness: &StoreHarness) {
    let pusher = harness.open().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut claimers = Vec::new();
    for _ in 0..2 {
        claimers.push(tokio::spawn(claim_until(harness.open().await, is_over.clone())));
    }
    let processes = [harness.start(Role::Work(60_000)), harness.start(Role::Work(60_000))];

    let mut pushed = Vec::new();
    for number in 0..JOBS {
        pushed.extend(harness.push(&*pusher, vec![job(number)]).await);
        // Let the others run, so that each of them has waited once.
        tokio::task::yield_now().await;
    }
    let all_done = async {
        while !harness.are_completed(&*pusher, JOBS).await {
            // A queue that answers at once must not starve the timers.
            tokio::task::yield_now().await;
        }
    };
    harness.steps().finishes("the work of two handles and two processes", all_done).await;
    is_over.store(true, Ordering::Relaxed);

    let mut times: BTreeMap<JobId, u32> = BTreeMap::new();
    for claimer in claimers {
        let claimed = claimer.await.unwrap_or_else(|error| panic!("a claimer: {error}"));
        claimed.into_iter().for_each(|id| *times.entry(id).or_default() += 1);
    }
    for process in processes {
        for line in process.kill().await {
            let id = line.strip_prefix("done ").and_then(|id| id.parse().ok());
            id.into_iter().for_each(|id| *times.entry(id).or_default() += 1);
        }
    }
    for id in pushed {
        let times = times.get(&id).copied().unwrap_or_default();
        assert!(
            times == 1,
            "job {id} was delivered {times} times to the programs that share the queue, and must be delivered once"
        );
    }
}

async fn claim_until(queue: Arc<dyn Admin>, is_over: Arc<AtomicBool>) -> Vec<JobId> {
    let demand = Demand::new("default", 3).lease(Duration::from_secs(60)).wait(Duration::from_millis(200));
    let mut claimed = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let deliveries = queue.claim(&demand).await.unwrap_or_else(|error| panic!("a claim: {error}"));
        claimed.extend(deliveries.iter().map(queue_core::Delivery::id));
        let done = deliveries.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        let settled = queue.settle(done.collect()).await;
        settled.unwrap_or_else(|error| panic!("a settlement: {error}"));
    }
    claimed
}

pub(super) async fn d13_without_notification_jobs_start_within_the_polling_interval(harness: &StoreHarness) {
    let Some(deaf) = harness.store().open_without_notifications(Duration::from_millis(50)).await else {
        return;
    };
    let other = harness.open().await;
    for number in 0..3 {
        let claim = tokio::spawn({
            let deaf = deaf.clone();
            async move { deaf.claim(&Demand::new("default", 1)).await }
        });
        // The claim may wait already when the job is pushed, or may find the job at once. Both must work.
        harness.steps().ok("`counts` beside a claim that waits", deaf.counts()).await;
        let pushed = harness.push(&*other, vec![job(number)]).await;

        let claimed = harness.steps().finishes("a claim that gets no notification", claim).await;
        let claimed = claimed.unwrap_or_else(|error| panic!("the claim: {error}"));
        let claimed = claimed.unwrap_or_else(|error| panic!("a claim that gets no notification: {error}"));
        let claimed: Vec<_> = claimed.iter().map(queue_core::Delivery::id).collect();
        assert!(claimed == pushed, "the job that was pushed is {pushed:?}, and {claimed:?} was delivered");
    }
}
