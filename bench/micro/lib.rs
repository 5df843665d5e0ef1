//! What the benchmarks of the hot paths work on.
//!
//! What can't be set up is a mistake here, and ends the benchmark with its text.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_core::{
    AttemptRunner, Blocking, Body, BoxFuture, Clock, Delivery, Demand, Environment, JobContext, NewJob,
    Queue as _, Services, Timestamp, background_job, jobs,
};
use queue_tokio::MemoryQueue;

/// Counts what it's told, so that no job is optimized away.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    fn add(&self, user_id: u64, template: &str) {
        self.0.fetch_add(user_id + template.len() as u64, Ordering::Relaxed);
    }
}

/// Made for each attempt.
#[derive(Debug)]
pub struct Repo(Arc<Tally>);

/// The job of all benchmarks.
#[background_job]
pub async fn welcome(#[inject] tally: &Tally, user_id: u64, template: &str) {
    tally.add(user_id, template);
}

/// The same, with a service of its own.
#[background_job]
pub async fn welcome_by_repo(#[inject] repo: &Repo, user_id: u64, template: &str) {
    repo.0.add(user_id, template);
}

/// The same, which asks for its context.
#[background_job]
pub async fn welcome_in_context(
    #[inject] tally: &Tally,
    #[inject] context: &JobContext,
    user_id: u64,
    template: &str,
) {
    tally.add(user_id + u64::from(context.attempt()), template);
}

/// The clock of attempts, and their threads, of which they need none.
struct Idle;

impl Clock for Idle {
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Blocking for Idle {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { call() })
    }
}

/// Takes deliveries to settlements, as the hosted loop does.
#[must_use]
pub fn runner() -> AttemptRunner {
    // All that the graph needs is registered right here.
    let services = Services::builder()
        .singleton(Tally::default())
        .scoped_fn(|tally: Arc<Tally>| Repo(tally))
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    let environment = Environment { clock: Arc::new(Idle), blocking: Arc::new(Idle), observer: None };
    let jobs = jobs![welcome, welcome_by_repo, welcome_in_context];
    AttemptRunner::new(jobs, services, Arc::new(MemoryQueue::unbounded()), &[], environment)
}

/// Gives so many deliveries of a job, as a queue in memory hands them out.
#[must_use]
pub fn delivered(job: impl Fn() -> NewJob, count: usize) -> Vec<Delivery> {
    let queue = MemoryQueue::unbounded();
    let claimed = futures_executor::block_on(async {
        queue.push((0..count).map(|_| job()).collect()).await?;
        queue.claim(&Demand::new("default", count)).await
    });
    // A queue in memory without a bound refuses only what is wrong with a job.
    claimed.unwrap_or_else(|error| panic!("{error}"))
}

/// Turns a delivery to one from a queue that stores text.
#[must_use]
pub fn stored(mut delivery: Delivery) -> Delivery {
    // It's a number and a text, which any JSON can say.
    let text = delivery.body.encode().unwrap_or_else(|error| panic!("{error}"));
    delivery.body = Body::stored(text);
    delivery
}
