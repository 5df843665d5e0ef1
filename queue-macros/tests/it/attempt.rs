//! Performs a job as a worker would: pushed, claimed, encoded and decoded, in a scope of its own.

use std::sync::Arc;

use queue_core::{
    AttemptRunner, Delivery, Demand, Environment, Job, JobContext, Outcome, Queue, QueueExt as _, Receipt,
    Scope, Services, jobs,
};
use queue_tokio::{MemoryQueue, TokioRuntime};

/// Runs one attempt and returns its outcome, after closing its scope with the outcome.
pub(crate) async fn perform<J: Job>(job: J, services: Services) -> Outcome {
    let queue = MemoryQueue::new();
    let receipt = queue.enqueue(job).queue("jobs").await.unwrap();
    assert!(matches!(*receipt, Receipt::Stored(_)), "nothing else is in the queue");
    let demand = Demand::new("jobs", 1);
    let delivery = queue.claim(&demand).await.unwrap().remove(0);
    let job: J = over_the_wire(&delivery);
    let scope = Scope::open(context(delivery, services.clone(), queue), services);

    let outcome = job.perform(&scope).await;

    scope.close(outcome.kind()).await.unwrap();
    outcome
}

fn over_the_wire<J: Job>(delivery: &Delivery) -> J {
    serde_json::from_str(&delivery.body.encode().unwrap()).unwrap()
}

fn context(delivery: Delivery, services: Services, queue: MemoryQueue) -> JobContext {
    let runtime = Arc::new(TokioRuntime::current());
    let environment =
        Environment { clock: runtime.clone(), blocking: runtime, observer: None, service: None };
    AttemptRunner::new(jobs![], services, Arc::new(queue), &[], environment)
        .attempt(delivery)
        .context()
        .clone()
}
