//! Tests that a stopped host leaves no thread and no descriptor behind.
//!
//! A binary of its own, because threads and descriptors are counted for the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::time::{Duration, Instant};

use queue_core::{QueueExt as _, background_job, jobs};
use queue_testkit::Recorder;
use queue_tokio::{Host, MemoryQueue, QueueService};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job]
async fn quick() {}

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

async fn cycle(queue: &MemoryQueue) -> TestResult {
    let recorder = Recorder::new();
    let service = QueueService::new(queue.clone(), jobs![quick]).observe(recorder.clone());
    let running = Host::builder().service(service).build()?.start().await?;
    queue.enqueue(quick::new()).await?;
    recorder.wait_for_settled::<quick>(1).await;
    running.stop().await?;
    Ok(())
}

/// H63: after twenty starts and stops the process has as many threads and descriptors as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_has_stopped_leaves_no_thread_and_no_descriptor_behind() -> TestResult {
    let queue = MemoryQueue::new();
    cycle(&queue).await?;
    let before = (count("task"), count("fd"));

    for _ in 0..20 {
        cycle(&queue).await?;
    }

    let began = Instant::now();
    let mut after = (count("task"), count("fd"));
    // The renewal thread ends a moment after its stop signal.
    while (after.0 > before.0 || after.1 > before.1) && began.elapsed() < Duration::from_secs(10) {
        tokio::task::yield_now().await;
        after = (count("task"), count("fd"));
    }
    assert!(
        after.0 <= before.0 && after.1 <= before.1,
        "threads and descriptors: {before:?}, then {after:?}"
    );
    Ok(())
}
