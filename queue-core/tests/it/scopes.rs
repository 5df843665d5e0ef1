//! Scopes that a test opens itself, without a queue that delivers and a loop that performs.

use std::sync::Arc;

use queue_core::{
    Blocking, BoxFuture, Delivery, Fence, Job, JobId, JobRecord, Lease, NewJob, Performer, Scope, Services,
    Timestamp, World, jobs,
};
use queue_testkit::ModelQueue;

pub(crate) struct NoThreads;

impl Blocking for NoThreads {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        call();
        Box::pin(async {})
    }
}

/// A world whose clock stands still, and whose blocking jobs run where they are.
pub(crate) fn world() -> World {
    let clock = Arc::new(ModelQueue::new().clock().clone());
    World { clock, blocking: Arc::new(NoThreads), observer: None }
}

/// The scope of an attempt at this job.
pub(crate) fn open(services: Services, job: impl Job) -> Scope {
    let job = NewJob::from(job);
    let record = JobRecord::new(JobId::from_u128(7), job.name, job.body);
    let lease =
        Lease { job: record.id, fence: Fence(1), length: Lease::DEFAULT_LENGTH, expires_at: Timestamp::MAX };
    let performer = Performer::new(jobs![], services, Arc::new(ModelQueue::new()), &[], world());
    Scope::open(performer.context(Delivery::new(record, lease)))
}
