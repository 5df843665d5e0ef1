//! Faults between the kit and the store.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{NewJob, QueueExt as _, State, jobs};
use queue_testkit::{Fault, Operation};

use super::harness::KitHarness;
use super::jobs::{Seen, note};
use crate::law::expect_eq;

/// Each fault at each operation does what it promises, and no fault loses a job.
pub(super) async fn t8_no_fault_loses_a_job(harness: &KitHarness) {
    let faults = [
        (Operation::Claim, Fault::FailBefore, 1),
        (Operation::Claim, Fault::FailAfter, 1),
        (Operation::Claim, Fault::Delay(Duration::from_secs(1)), 1),
        (Operation::Claim, Fault::DeliverTwice, 2),
        (Operation::Claim, Fault::LoseLease, 2),
        (Operation::Settle, Fault::FailBefore, 1),
        (Operation::Settle, Fault::FailAfter, 1),
        (Operation::Settle, Fault::LoseLease, 2),
    ];
    for (operation, fault, expected_runs) in faults {
        let seen = Arc::new(Seen::default());
        let kit = harness.kit_with(jobs![note], |kit| kit.singleton_as(seen.clone())).await;
        kit.queue().enqueue(note::new(0)).await.expect("a push");
        kit.faults().on(operation, 1, fault);

        let run = kit.run_until_idle().await.expect("a run");

        expect_eq!(kit.jobs()[0].state, State::Completed, "{operation} {fault}\n{}", run.trace());
        expect_eq!(seen.lock().expect("a list").len(), expected_runs, "{operation} {fault}\n{}", run.trace());
    }
    let seen = Arc::new(Seen::default());
    let kit = harness.kit_with(jobs![note], |kit| kit.singleton_as(seen).seed(7)).await;
    kit.queue()
        .enqueue_all((0..20).map(|_| NewJob::from(note::new(0)).max_attempts(1000)))
        .await
        .expect("a push");
    kit.faults().randomly(7, 3);

    kit.run_until_idle().await.expect("a run");

    assert!(kit.jobs().iter().all(|job| job.state == State::Completed), "{:?}", kit.jobs());
}
