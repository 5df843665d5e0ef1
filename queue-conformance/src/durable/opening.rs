//! Opening a store: it migrates once, refuses what it can't open, and keeps the jobs of earlier versions (D7, D8, D10).

use std::time::Duration;

use futures_util::future::{join, join_all};
use queue_core::backend::error_chain;
use queue_core::{Delivery, Demand};

use super::harness::StoreHarness;
use super::process::{BATCH, Role, id};
use crate::conformance::jobs::job;

/// The number of processes, and of handles of this process, that open a fresh store at once.
const PROCESSES: u32 = 3;
const HANDLES: u32 = 4;

/// The number of fresh stores that they open: chance decides which of them is first.
const STORES: usize = 6;

pub(super) async fn d7_opening_concurrently_for_the_first_time_migrates_once(harness: &StoreHarness) {
    for _ in 0..STORES {
        is_opened_by_many(&harness.afresh().await).await;
    }
}

async fn is_opened_by_many(harness: &StoreHarness) {
    // The handles begin to open before the processes start.
    let handles = join_all((0..HANDLES).map(|_| harness.open()));
    let processes =
        async { (0..PROCESSES).map(|number| harness.start(Role::Open(number))).collect::<Vec<_>>() };
    let (handles, mut processes) = join(handles, processes).await;
    for (number, handle) in (PROCESSES..).zip(&handles) {
        let jobs = (0..BATCH).map(|place| job(number).id(id(number, place))).collect();
        harness.push(&**handle, jobs).await;
    }
    for process in &mut processes {
        let said = harness
            .steps()
            .finishes("waiting for a process that opens the store", process.next_report())
            .await;
        assert!(said.is_some(), "a process that opened the store with others ended without having pushed");
    }

    for handle in handles.iter().chain([&harness.open().await]) {
        let stored = harness.all(&**handle).await.len();
        let pushed = ((PROCESSES + HANDLES) * BATCH) as usize;
        assert!(
            stored == pushed,
            "a handle sees {stored} of {pushed} jobs, although all were opened on one store"
        );
    }
}

pub(super) async fn d8_a_place_that_cannot_be_opened_is_refused_with_a_remedy(harness: &StoreHarness) {
    for refusal in harness.store().unopenable().await {
        let what = refusal.what;
        match harness.steps().finishes(format!("opening {what}"), refusal.open).await {
            Ok(_) => panic!("{what} was opened, and must be refused"),
            Err(error) => {
                let text = error_chain(&error);
                for word in refusal.expected {
                    assert!(
                        text.contains(&word),
                        "the error about {what} must contain {word:?}, and it is: {text}"
                    );
                }
            }
        }
    }
}

pub(super) async fn d10_upgrading_from_each_earlier_schema_keeps_every_job(harness: &StoreHarness) {
    for upgrade in harness.store().old_versions().await {
        let what = upgrade.what;
        let queue = harness.steps().ok(format!("opening {what}"), upgrade.open).await;
        let stored = harness.all(&*queue).await;
        let mut ready = Vec::new();
        for job in stored.values() {
            let demand = Demand::new(job.queue.clone(), stored.len()).wait(Duration::ZERO);
            let claimed = harness.steps().ok(format!("a claim from {what}"), queue.claim(&demand)).await;
            ready.extend(claimed.iter().map(Delivery::id));
        }
        for job in upgrade.expected {
            assert!(stored.contains_key(&job), "job {job} of {what} is missing");
            assert!(ready.contains(&job), "job {job} of {what} is stored and isn't delivered");
        }
    }
}
