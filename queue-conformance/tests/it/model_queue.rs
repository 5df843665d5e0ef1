//! Checks the testkit's own queue against every law of queues, and against mistakes that only a model can make.

use futures_util::FutureExt as _;
use queue_core::{Body, Demand, JobId, NewJob, Queue as _, QueueErrorKind, Receipt, Unique};
use queue_testkit::{ModelQueue, VirtualClock};

queue_conformance::conformance!(async || ModelQueue::new());

fn job() -> NewJob {
    NewJob::new("work", Body::stored("null"))
}

/// Q53: Two jobs of a batch have a key whose holder has started. The job that will follow the holder needs capacity, at either
/// place in the batch.
#[test]
fn a_job_that_will_follow_a_started_one_takes_room_behind_one_that_will_not() {
    let queue = ModelQueue::bounded(VirtualClock::new(), 2);
    queue.try_push(vec![job().unique("key"), job().queue("other")]).expect("there is capacity for two");
    let claimed = queue.claim(&Demand::new("default", 1)).now_or_never().expect("a job is ready");
    assert_eq!(claimed.map(|jobs| jobs.len()).ok(), Some(1), "the holder of the key has started");

    let answer = queue.try_push(vec![job().unique("key"), job().unique(Unique::new("key").replace())]);

    assert_eq!(answer.map_err(|error| error.kind()), Err(QueueErrorKind::Full));
}

/// Q53: An id is taken by a job that is stored, but not by a job whose key was taken.
#[test]
fn a_second_job_of_an_identity_takes_room_if_the_first_is_not_stored() {
    let queue = ModelQueue::bounded(VirtualClock::new(), 2);
    let id = JobId::from_u128(7);
    let first = queue.try_push(vec![job().unique("key"), job()]).expect("there is capacity for two");
    let holder = first.first().map(|receipt| receipt.id());

    let known = queue.try_push(vec![job().id(id).unique("key")]);
    let answer = queue.try_push(vec![job().id(id).unique("key"), job().id(id)]);

    assert_eq!(
        known.ok(),
        holder.map(|holder| vec![Receipt::Existing(holder)]),
        "a job whose key is taken needs no capacity"
    );
    assert_eq!(answer.map_err(|error| error.kind()), Err(QueueErrorKind::Full));
}
