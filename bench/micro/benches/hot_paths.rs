//! The cost of a job at each step on one thread: time, and the number and size of allocations.

use divan::{AllocProfiler, Bencher};
use futures_executor::block_on;
use micro::{delivered, runner, stored, welcome, welcome_by_repo, welcome_in_context};
use queue_core::{
    AttemptRunner, Body, Delivery, Demand, NewJob, Queue as _, QueueExt as _, Settlement, Timestamp,
    Transition,
};
use queue_tokio::MemoryQueue;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// The number of jobs that a claim of the hosted loop takes with its default settings in the benchmarks.
const BATCH: usize = 64;

fn job() -> NewJob {
    welcome::new(7, "welcome").into()
}

#[divan::bench]
fn make_a_job(bencher: Bencher<'_, '_>) {
    bencher.bench(job);
}

#[divan::bench]
fn enqueue(bencher: Bencher<'_, '_>) {
    let queue = MemoryQueue::unbounded();
    bencher.with_inputs(job).bench_values(|job| block_on(async { queue.enqueue(job).await }));
    drop(block_on(queue.claim(&Demand::new("default", usize::MAX))));
}

#[divan::bench]
fn push_a_batch_of_64(bencher: Bencher<'_, '_>) {
    let queue = MemoryQueue::unbounded();
    let batch = || (0..BATCH).map(|_| job()).collect::<Vec<_>>();
    bencher.counter(BATCH).with_inputs(batch).bench_values(|jobs| block_on(queue.push(jobs)));
}

#[divan::bench]
fn claim_64_and_settle_them(bencher: Bencher<'_, '_>) {
    let queue = MemoryQueue::unbounded();
    let demand = Demand::new("default", BATCH);
    bencher
        .counter(BATCH)
        .with_inputs(|| block_on(queue.push((0..BATCH).map(|_| job()).collect())).map(drop))
        .bench_values(|_| {
            block_on(async {
                let claimed = queue.claim(&demand).await?;
                let done = claimed.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
                queue.settle(done.collect()).await
            })
        });
}

/// Runs an attempt of the job repeatedly.
fn attempt(bencher: Bencher<'_, '_>, runner: &AttemptRunner, delivery: &Delivery) {
    // The loop recycles its attempts.
    let mut attempt = runner.attempt(delivery.clone());
    bencher.bench_local(|| {
        runner.attempt_in(&mut attempt, delivery.clone(), Timestamp::default());
        block_on(runner.run(&attempt))
    });
}

fn one(job: impl Fn() -> NewJob) -> Delivery {
    delivered(job, 1).remove(0)
}

#[divan::bench]
fn attempt_with_a_singleton(bencher: Bencher<'_, '_>) {
    attempt(bencher, &runner(), &one(job));
}

#[divan::bench]
fn attempt_with_a_scoped_service(bencher: Bencher<'_, '_>) {
    attempt(bencher, &runner(), &one(|| welcome_by_repo::new(7, "welcome").into()));
}

#[divan::bench]
fn attempt_with_its_context(bencher: Bencher<'_, '_>) {
    attempt(bencher, &runner(), &one(|| welcome_in_context::new(7, "welcome").into()));
}

#[divan::bench]
fn attempt_of_a_stored_job(bencher: Bencher<'_, '_>) {
    attempt(bencher, &runner(), &stored(one(job)));
}

#[divan::bench]
fn encode_a_payload(bencher: Bencher<'_, '_>) {
    let body = Body::typed(welcome::new(7, "welcome"));
    bencher.bench(|| body.encode());
}

#[divan::bench]
fn decode_a_payload(bencher: Bencher<'_, '_>) {
    let body = stored(one(job)).body;
    bencher.bench(|| body.decode::<welcome>());
}
