//! The runtimes from which a kit is used.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use queue_core::{QueueExt as _, jobs};
use tokio::runtime::Builder;

use super::harness::KitHarness;
use super::jobs::{flaky, send_welcome};
use crate::law::expect_eq;

async fn run_some(harness: KitHarness) {
    let kit = harness.kit(jobs![flaky, send_welcome]).await;
    kit.queue().enqueue(flaky::new(1)).await.expect("a push");
    kit.queue().enqueue(send_welcome::new(1, "x")).delay(Duration::from_secs(5)).await.expect("a push");

    let run = kit.run_until_idle().await.expect("a run");

    expect_eq!(run.attempts().len(), 3);
    kit.assert_completed(&send_welcome::new(1, "x"));
    expect_eq!(kit.report().attempts().len(), 3);
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The kit works in a runtime of several threads, in one of a single thread, and without a runtime.
pub(super) async fn t12_the_kit_works_from_any_runtime_and_from_none(harness: &KitHarness) {
    run_some(harness.clone()).await;
    let ways: [fn(Work); 2] = [
        |work| Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work),
        |work| queue_testkit::block_on(work),
    ];
    for run in ways {
        let work: Work = Box::pin(run_some(harness.clone()));
        let done = tokio::task::spawn_blocking(move || std::thread::spawn(move || run(work)).join());
        done.await.expect("a thread").expect("the kit works there");
    }
}
