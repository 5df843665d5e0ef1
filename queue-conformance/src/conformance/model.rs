//! Laws that compare a queue with the executable contract as a whole.

mod call;
mod compare;
mod limits;
mod reused_queue;
mod shrink;

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use queue_core::{QueueLimits, QueueName};

use super::clients;
use super::factory::FixtureFactory;
use super::harness::QueueHarness;
use crate::history;
use compare::Compared;
use reused_queue::ReusedQueue;

/// The number of calls in each random sequence.
const LENGTH: usize = 200;

/// The number of sequences that run at once, each on another queue.
const PARALLELISM: usize = 2;

/// A random sequence of calls. Each number selects a call, given the state that the queue is in then.
type Sequence = Vec<u64>;

/// Q55: Random operation sequences, with time moved by the fixture, give the same answers from the backend and from `JobTable`.
pub(super) async fn q55_random_operations_answer_as_the_model_does(harness: &QueueHarness) {
    let count = setting("QUEUE_CONFORMANCE_SEQUENCES", harness.fixture().sequences());
    let first = setting("QUEUE_CONFORMANCE_SEED", 0);
    harness.note(format!("{count} random sequences of {LENGTH} calls, from seed {first} on"));
    let next = Arc::new(AtomicU64::new(first));
    let tasks: Vec<_> = (0..PARALLELISM)
        .map(|_| {
            tokio::spawn(compare_sequences(
                harness.factory().clone(),
                next.clone(),
                first.saturating_add(count),
            ))
        })
        .collect();
    let mut failures = Vec::new();
    for task in tasks {
        failures.extend(task.await.unwrap_or_else(|error| panic!("the suite itself failed: {error}")));
    }
    if let Some((seed, failure)) = failures.into_iter().min_by_key(|(seed, _)| *seed) {
        panic!("{}", shrink::shrink(harness.factory(), seed, sequence(seed), failure).await);
    }
}

/// Runs sequences until all are done or one fails. Returns the seed of the one that failed, with its error.
async fn compare_sequences(factory: FixtureFactory, next: Arc<AtomicU64>, end: u64) -> Option<(u64, String)> {
    let mut queue = ReusedQueue::new(factory);
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return None;
        }
        if let Err(failure) = compare::run(queue.next().await, sequence(seed), Compared::Samples).await {
            // The other task can stop.
            next.store(end, Ordering::Relaxed);
            return Some((seed, failure.text));
        }
    }
}

fn sequence(seed: u64) -> Sequence {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..LENGTH).map(|_| random.u64(..)).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, and must be a number")),
        Err(_) => default,
    }
}

/// Q56: Under concurrency: no job lost, no two live holders of one job, no finished job delivered again, fences that grow,
/// no more live leases and no more starts than limits allow, and order kept within what concurrency allows.
pub(super) async fn q56_a_history_of_many_clients_obeys_the_contract(harness: &QueueHarness) {
    const ROUNDS: u64 = 3;
    let first = setting("QUEUE_CONFORMANCE_SEED", 0);
    for seed in first..first.saturating_add(ROUNDS) {
        harness.note(format!("many clients at once, seed {seed}"));
        obeys(harness, seed, &QueueLimits::none()).await;
        if clients::has_limits(&harness.factory().make().await).await {
            obeys(harness, seed, &clients::limits()).await;
        }
    }
}

/// Runs many clients on a fresh queue with limits, and checks their history.
async fn obeys(harness: &QueueHarness, seed: u64, limits: &QueueLimits) {
    let fixture = harness.factory().make().await;
    let history = clients::record(&fixture, seed, limits).await;
    harness.note(format!("the history of many clients at once, seed {seed}, limits {limits:?}"));
    let checked =
        history::check(&history).and_then(|()| history::check_limits(&history, &QueueName::DEFAULT, limits));
    if let Err(wrong) = checked {
        panic!("{wrong} (seed {seed}, limits {limits:?})");
    }
}
