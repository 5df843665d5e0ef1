//! A million jobs: none lost, none run twice, and no memory kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use queue_core::{Inspect as _, QueueExt as _, Services, State, background_job, jobs};
use queue_tokio::{Host, QueueService, TokioQueue};
use tokio::sync::Notify;

use crate::world::TestResult;

const JOBS: usize = 1_000_000;

struct Tally {
    runs: Vec<AtomicU8>,
    done: AtomicUsize,
    finished: Notify,
}

#[background_job]
async fn tick(#[inject] tally: &Tally, number: usize) {
    tally.runs[number].fetch_add(1, Ordering::Relaxed);
    if tally.done.fetch_add(1, Ordering::Relaxed) + 1 == JOBS {
        tally.finished.notify_one();
    }
}

async fn run_a_million(queue: TokioQueue) -> TestResult {
    let tally = Arc::new(Tally {
        runs: (0..JOBS).map(|_| AtomicU8::new(0)).collect(),
        done: AtomicUsize::new(0),
        finished: Notify::new(),
    });
    let services = Services::builder().singleton_as(tally.clone()).build()?;
    let service = QueueService::new(queue.clone(), jobs![tick]).concurrency(64);
    let host = Host::builder().services(services).service(service).build()?.start().await?;

    for batch in 0..JOBS / 1000 {
        queue.enqueue_all((0..1000).map(|n| tick::new(batch * 1000 + n))).await?;
    }
    tally.finished.notified().await;
    host.stop().await?;

    let wrong = tally.runs.iter().filter(|runs| runs.load(Ordering::Relaxed) != 1).count();
    assert_eq!(wrong, 0, "jobs lost or run twice");
    let counts = &queue.counts().await?[0];
    assert_eq!((counts.of(State::Completed), counts.unfinished()), (JOBS as u64, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_jobs_run_once_each() -> TestResult {
    run_a_million(TokioQueue::unbounded()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_jobs_pass_through_a_queue_bounded_at_1024() -> TestResult {
    run_a_million(TokioQueue::bounded(1024)).await
}
