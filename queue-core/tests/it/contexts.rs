//! Tests that a reused context is like a new one, and that a context with a clone is not reused.

use std::sync::Arc;

use queue_core::{
    AttemptRunner, Delivery, Fence, InterruptReason, JobContext, JobId, JobRecord, Lease, NewJob, Services,
    Timestamp, Transition, background_job, jobs,
};
use queue_testkit::ModelQueue;

use crate::scopes::environment;

#[background_job]
async fn next(#[inject] context: &JobContext, place: u64) {
    context.then(next::new(place + 1));
}

fn runner() -> AttemptRunner {
    AttemptRunner::new(jobs![next], Services::none(), Arc::new(ModelQueue::new()), &[], environment())
}

fn delivery(number: u128, job: NewJob) -> Delivery {
    let record = JobRecord::new(JobId::from_u128(number), job.name, job.body);
    let lease = Lease::new(record.id, Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
    Delivery::new(record, lease)
}

/// H24, H5: a reused context has no followups, no end and no interrupt of the attempt before.
#[test]
fn a_reused_context_is_like_a_new_one() {
    queue_testkit::block_on(async {
        let runner = runner();
        let mut attempt = runner.attempt(delivery(1, next::new(1).into()));
        let first = runner.run(&attempt).await;
        assert_eq!(first.settlement.followups.len(), 1);
        attempt.note_completed();
        attempt.interrupt().force(InterruptReason::LeaseLost);

        runner.attempt_in(&mut attempt, delivery(2, next::new(7).into()), Timestamp::default());

        let context = attempt.context();
        assert_eq!(context.id(), JobId::from_u128(2));
        assert!(context.interrupt_reason().is_none() && !context.token().is_cancelled());
        let second = runner.run(&attempt).await;
        assert_eq!((second.settlement.transition, second.is_recorded), (Transition::complete(), false));
        let followups = second.settlement.followups;
        let places = followups.iter().map(|job| job.body.downcast_ref::<next>().map(|next| next.place));
        assert_eq!(places.collect::<Vec<_>>(), [Some(8)]);
    });
}

#[test]
fn a_context_with_a_clone_is_not_reused() {
    let runner = runner();
    let mut attempt = runner.attempt(delivery(1, next::new(1).into()));
    let kept = attempt.context().clone();

    assert!(!attempt.clear(), "it was cleared although a clone is alive");
    runner.attempt_in(&mut attempt, delivery(2, next::new(2).into()), Timestamp::default());

    assert_eq!((kept.id(), attempt.context().id()), (JobId::from_u128(1), JobId::from_u128(2)));
    assert_eq!(kept.delivery().body.downcast_ref::<next>(), Some(&next::new(1)));
}

#[test]
fn clearing_a_context_drops_its_payload() {
    let payload = Arc::new(());
    let inside = payload.clone();
    let job = NewJob::call(async move |_| drop(inside));
    let mut attempt = runner().attempt(delivery(1, job));
    assert_eq!(Arc::strong_count(&payload), 2);

    assert!(attempt.clear());

    assert_eq!(Arc::strong_count(&payload), 1);
}
