//! Scopes that a test opens itself, without a queue and a hosted loop.

use std::sync::Arc;

use queue_core::{
    AttemptRunner, Blocking, BoxFuture, Delivery, Environment, Fence, Job, JobId, JobRecord, Lease, NewJob,
    Scope, Services, Timestamp, jobs,
};
use queue_testkit::ModelQueue;

pub(crate) struct NoThreads;

impl Blocking for NoThreads {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        call();
        Box::pin(async {})
    }
}

/// Returns an environment whose clock stands still and whose blocking jobs run in place.
pub(crate) fn environment() -> Environment {
    let clock = Arc::new(ModelQueue::new().clock().clone());
    Environment { clock, blocking: Arc::new(NoThreads), observer: None, service: None }
}

/// Opens the scope of an attempt at this job.
pub(crate) fn open(services: Services, job: impl Job) -> Scope {
    let job = NewJob::from(job);
    let record = JobRecord::new(JobId::from_u128(7), job.name, job.body);
    let lease = Lease::new(record.id, Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
    let runner =
        AttemptRunner::new(jobs![], services.clone(), Arc::new(ModelQueue::new()), &[], environment());
    Scope::open(runner.attempt(Delivery::new(record, lease)).context().clone(), services)
}
