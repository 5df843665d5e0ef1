//! The order of a run: what a seed repeats, and what another seed may change.

use std::sync::Arc;

use queue_core::{QueueExt as _, State, jobs};

use super::harness::KitHarness;
use super::jobs::{Seen, flaky, note};
use crate::law::expect_eq;

async fn trace(harness: &KitHarness, seed: Option<u64>) -> String {
    let set = |kit: queue_testkit::TestKitBuilder| match seed {
        Some(seed) => kit.seed(seed),
        None => kit,
    };
    let kit = harness.kit_with(jobs![flaky], set).await;
    kit.queue().enqueue_all((0..8).map(flaky::new)).await.expect("a push");
    kit.run_until_idle().await.expect("a run").trace()
}

/// The same seed gives the same trace, byte for byte.
pub(super) async fn t1_the_same_seed_gives_the_same_trace(harness: &KitHarness) {
    for seed in [None, Some(7)] {
        let first = trace(harness, seed).await;

        expect_eq!(trace(harness, seed).await, first, "the trace of seed {seed:?}");
        expect_eq!(first.lines().count(), 8 + 7, "attempts in\n{first}");
    }
}

/// Another seed changes the order of attempts and nothing else.
pub(super) async fn t2_another_seed_permutes_the_order_only(harness: &KitHarness) {
    let mut traces = Vec::new();
    for seed in 0..4 {
        traces.push(trace(harness, Some(seed)).await);
    }

    let attempts = |trace: &String| trace.lines().count();
    assert!(traces.iter().any(|trace| *trace != traces[0]), "no seed made a difference:\n{}", traces[0]);
    assert!(traces.iter().all(|trace| attempts(trace) == attempts(&traces[0])), "{traces:#?}");
}

/// Two kits over two stores do not see each other's jobs.
pub(super) async fn t16_kits_share_no_state(harness: &KitHarness) {
    let seen = [Arc::new(Seen::default()), Arc::new(Seen::default())];
    let one = harness.kit_with(jobs![note], |kit| kit.singleton_as(seen[0].clone())).await;
    let other = harness.kit_with(jobs![note], |kit| kit.singleton_as(seen[1].clone())).await;
    one.queue().enqueue(note::new(1)).await.expect("a push");
    other.queue().enqueue(note::new(2)).await.expect("a push");

    one.run_until_idle().await.expect("a run").expect_success();

    expect_eq!(*seen[0].lock().expect("a list"), [1]);
    expect_eq!(other.jobs()[0].state, State::Available);
    other.run_until_idle().await.expect("a run").expect_success();
    expect_eq!(*seen[1].lock().expect("a list"), [2]);
}
