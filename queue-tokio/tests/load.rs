//! A million jobs: none lost, none run twice, and no memory kept.
//!
//! A binary of its own, because it counts every byte that the process allocates.

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use cap::Cap;
use queue_core::{Admin as _, QueueExt as _, Services, State, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService, RunningHost};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const JOBS: usize = 1_000_000;

/// The tolerated variance: buffers of the loop and of the runtime.
const SLACK: usize = 1 << 20;

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

fn tally() -> Arc<Tally> {
    let runs = (0..JOBS).map(|_| AtomicU8::new(0)).collect();
    Arc::new(Tally { runs, done: AtomicUsize::new(0), finished: Notify::new() })
}

async fn start(
    queue: &MemoryQueue,
    tally: &Arc<Tally>,
) -> Result<RunningHost, Box<dyn std::error::Error + Send + Sync>> {
    let services = Services::builder().singleton_as(tally.clone()).build()?;
    let service = QueueService::new(queue.clone(), jobs![tick]).concurrency(64);
    Ok(Host::builder().services(services).service(service).build()?.start().await?)
}

async fn push_all(queue: &MemoryQueue) -> TestResult {
    for batch in 0..JOBS / 1000 {
        queue.enqueue_all((0..1000).map(|n| tick::new(batch * 1000 + n))).await?;
    }
    Ok(())
}

async fn each_ran_once(queue: &MemoryQueue, tally: &Tally) -> TestResult {
    let wrong = tally.runs.iter().filter(|runs| runs.load(Ordering::Relaxed) != 1).count();
    assert_eq!(wrong, 0, "jobs lost or run twice");
    let counts = &queue.counts().await?[0];
    assert_eq!((counts.of(State::Completed), counts.unfinished()), (JOBS as u64, 0));
    Ok(())
}

/// Both cases in one test: the allocations of one would be counted against the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_jobs_run_once_each_and_leave_no_memory_behind() -> TestResult {
    let (queue, counted) = (MemoryQueue::unbounded(), tally());
    let before = ALLOCATED.allocated();
    push_all(&queue).await?;
    let a_job = (ALLOCATED.allocated() - before) / JOBS;
    assert!(a_job <= 300, "{a_job} bytes for a queued job and its payload");
    let host = start(&queue, &counted).await?;
    counted.finished.notified().await;
    host.stop().await?;
    each_ran_once(&queue, &counted).await?;
    let kept = ALLOCATED.allocated().saturating_sub(before);
    assert!(kept < SLACK, "{kept} bytes kept of {JOBS} finished jobs");
    drop(queue);

    let (queue, counted) = (MemoryQueue::bounded(1024), tally());
    let host = start(&queue, &counted).await?;
    let before = ALLOCATED.allocated();
    let watched = queue.clone();
    let pushing = tokio::spawn(async move { push_in_turn(&watched, before).await });
    counted.finished.notified().await;
    let most = pushing.await??;
    assert!(most < 2 * SLACK, "{most} bytes at the most, with 1,024 jobs in the queue");
    host.stop().await?;
    each_ran_once(&queue, &counted).await
}

/// Pushes whenever there is capacity, and returns the peak of allocated memory.
async fn push_in_turn(
    queue: &MemoryQueue,
    before: usize,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let mut most = 0;
    for number in 0..JOBS {
        queue.enqueue(tick::new(number)).await?;
        if number % 1000 == 0 {
            most = most.max(ALLOCATED.allocated().saturating_sub(before));
        }
    }
    Ok(most)
}
