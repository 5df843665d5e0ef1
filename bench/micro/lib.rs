//! The setup of the benchmarks of hot paths.
//!
//! A failing setup is a bug here, and ends the benchmark with a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_core::{
    AttemptRunner, Blocking, Body, BoxFuture, Clock, Delivery, Demand, Environment, JobContext, NewJob,
    Queue as _, Services, Timestamp, background_job, jobs,
};
use queue_tokio::MemoryQueue;

/// Counts its calls, so that no job is optimized away.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    fn add(&self, user_id: u64, template: &str) {
        self.0.fetch_add(user_id + template.len() as u64, Ordering::Relaxed);
    }
}

/// A scoped service, created for each attempt.
#[derive(Debug)]
pub struct Repo(Arc<Tally>);

/// The job of all benchmarks.
#[background_job]
pub async fn welcome(#[inject] tally: &Tally, user_id: u64, template: &str) {
    tally.add(user_id, template);
}

/// The same, with a scoped service.
#[background_job]
pub async fn welcome_by_repo(#[inject] repo: &Repo, user_id: u64, template: &str) {
    repo.0.add(user_id, template);
}

/// The same, with its context injected.
#[background_job]
pub async fn welcome_in_context(
    #[inject] tally: &Tally,
    #[inject] context: &JobContext,
    user_id: u64,
    template: &str,
) {
    tally.add(user_id + u64::from(context.attempt()), template);
}

/// The environment of attempts: a clock, and blocking threads, which they do not need.
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

/// Creates a runner that turns deliveries into settlements, as the hosted loop does.
#[must_use]
pub fn runner() -> AttemptRunner {
    // All dependencies are registered here.
    let services = Services::builder()
        .singleton(Tally::default())
        .scoped_fn(|tally: Arc<Tally>| Repo(tally))
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    let environment =
        Environment { clock: Arc::new(Idle), blocking: Arc::new(Idle), observer: None, service: None };
    let jobs = jobs![welcome, welcome_by_repo, welcome_in_context];
    AttemptRunner::new(jobs, services, Arc::new(MemoryQueue::unbounded()), &[], environment)
}

/// Returns `jobs` deliveries of a job, as an in-memory queue would.
#[must_use]
pub fn delivered(job: impl Fn() -> NewJob, count: usize) -> Vec<Delivery> {
    let queue = MemoryQueue::unbounded();
    let claimed = futures_executor::block_on(async {
        queue.push((0..count).map(|_| job()).collect()).await?;
        queue.claim(&Demand::new("default", count)).await
    });
    // An unbounded in-memory queue refuses only invalid jobs.
    claimed.unwrap_or_else(|error| panic!("{error}"))
}

/// Converts a delivery to one from a queue that stores text.
#[must_use]
pub fn stored(mut delivery: Delivery) -> Delivery {
    // The payload is a number and a text, which JSON can always represent.
    let text = delivery.body.encode().unwrap_or_else(|error| panic!("{error}"));
    delivery.body = Body::stored(text);
    delivery
}
