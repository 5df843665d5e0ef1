//! Loom models of the permits and the inbox: every interleaving of pushes, claims and cancellations.
//!
//! `cargo xtask test` runs them, with only this crate compiled under `--cfg queue_loom`.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, poll_fn};
use loom::future::block_on;
use loom::thread;
use queue_core::{
    Admin as _, Body, Clock, Delivery, Demand, NewJob, Queue as _, QueueError, Settlement, Timestamp,
    Transition,
};

use super::MemoryQueue;

/// A clock that stands still: no job here waits for it.
struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn queue(bound: Option<u32>) -> MemoryQueue {
    let builder = MemoryQueue::builder().clock(NoTime).seed(1);
    match bound {
        Some(bound) => builder.bound(bound).build(),
        None => builder.unbounded().build(),
    }
}

fn job() -> NewJob {
    NewJob::new("job", Body::stored("null"))
}

/// Q17, Q20: with two claimers and a push of two jobs, each claimer is woken and gets one.
#[test]
fn loom_every_pushed_job_wakes_a_claimer() {
    loom::model(|| {
        let queue = queue(None);
        let claimers: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                thread::spawn(move || {
                    block_on(queue.claim(&Demand::new("default", 1))).map(|jobs| jobs.len())
                })
            })
            .collect();

        block_on(queue.push(vec![job(), job()])).unwrap();

        for claimer in claimers {
            assert_eq!(claimer.join().unwrap().unwrap(), 1);
        }
    });
}

/// Q18: a claim that is dropped, at any point, consumes no wake-up.
#[test]
fn loom_a_dropped_claim_passes_its_wake_up_on() {
    loom::model(|| {
        let queue = queue(None);
        let patient = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.claim(&Demand::new("default", 1))).map(|jobs| jobs.len()))
        };
        let fickle = {
            let queue = queue.clone();
            thread::spawn(move || {
                block_on(async {
                    let demand = Demand::new("default", 1);
                    let mut claim = pin!(queue.claim(&demand));
                    // Polls once, and is dropped with or without a job.
                    poll_fn(|cx| match claim.as_mut().poll(cx) {
                        Poll::Ready(jobs) => Poll::Ready(jobs.map_or(0, |jobs| jobs.len())),
                        Poll::Pending => Poll::Ready(0),
                    })
                    .await
                })
            })
        };

        block_on(queue.push(vec![job()])).unwrap();
        if fickle.join().unwrap() == 1 {
            block_on(queue.push(vec![job()])).unwrap();
        }

        assert_eq!(patient.join().unwrap().unwrap(), 1);
    });
}

/// Q52: a push that waits for capacity gets it when a job is settled.
#[test]
fn loom_a_settled_job_makes_room_for_a_waiting_push() {
    loom::model(|| {
        let queue = queue(Some(1));
        block_on(queue.push(vec![job()])).unwrap();
        let pusher = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.push(vec![job()])).map(|receipts| receipts.len()))
        };

        let deliveries = block_on(queue.claim(&Demand::new("default", 1))).unwrap();
        complete(&queue, deliveries);

        assert_eq!(pusher.join().unwrap().unwrap(), 1);
    });
}

/// Q22: closing the queue ends a waiting claim, at any point.
#[test]
fn loom_closing_ends_a_waiting_claim() {
    loom::model(|| {
        let queue = queue(None);
        let claimer = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.claim(&Demand::new("default", 1))).map(|jobs| jobs.len()))
        };

        queue.close();

        assert!(claimer.join().unwrap().is_err());
    });
}

/// Pushes a job without waiting, as `enqueue` does first. Returns whether it is stored.
fn push_at_once(queue: &MemoryQueue) -> Result<bool, QueueError> {
    queue.push_at_once(&mut Some(job())).transpose().map(|receipt| receipt.is_some())
}

/// Creates a queue with one job and, since it was pushed at once, places for more.
fn queue_with_places(bound: Option<u32>) -> MemoryQueue {
    let queue = queue(bound);
    assert!(push_at_once(&queue).unwrap());
    assert!(!queue.0.inbox.needs_reservations(), "places are reserved");
    queue
}

fn complete(queue: &MemoryQueue, deliveries: Vec<Delivery>) {
    let done = |job: Delivery| Settlement::new(job.lease, Transition::complete());
    block_on(queue.settle(deliveries.into_iter().map(done).collect())).unwrap();
}

/// Q17, Q20: a job that arrives in the inbox while a claimer begins to wait is not missed.
#[test]
fn loom_a_push_to_the_inbox_wakes_a_claimer() {
    loom::model(|| {
        let queue = queue_with_places(None);
        complete(&queue, block_on(queue.claim(&Demand::new("default", 1))).unwrap());
        let claimer = {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut claimed = 0;
                while claimed < 2 {
                    claimed += block_on(queue.claim(&Demand::new("default", 2))).unwrap().len();
                }
            })
        };

        for _ in 0..2 {
            assert!(queue.0.push_to_inbox(&mut Some(job())).is_some(), "a place is left at each push");
        }

        claimer.join().unwrap();
    });
}

/// Q52: a batch that waits for capacity gets that of reserved places too, whether they are reserved before or meanwhile.
#[test]
fn loom_reserved_places_hold_up_no_waiting_push() {
    loom::model(|| {
        let queue = queue_with_places(Some(3));
        let pusher = {
            let queue = queue.clone();
            thread::spawn(move || {
                block_on(queue.push(vec![job(), job(), job()])).map(|receipts| receipts.len())
            })
        };

        let expected = 4 + usize::from(push_at_once(&queue).unwrap());
        let mut claimed = 0;
        while claimed < expected {
            let deliveries = block_on(queue.claim(&Demand::new("default", 3))).unwrap();
            claimed += deliveries.len();
            complete(&queue, deliveries);
        }

        assert_eq!(pusher.join().unwrap().unwrap(), 3);
        assert_eq!(queue.0.locked(|state, _| state.table.unfinished()), 0);
    });
}

/// Q22: a push that meets the close is either stored or refused, and after the close each one is refused.
#[test]
fn loom_a_push_to_the_inbox_meets_the_close() {
    loom::model(|| {
        let queue = queue_with_places(None);
        let pusher = {
            let queue = queue.clone();
            thread::spawn(move || (0..3).filter(|_| push_at_once(&queue).is_ok_and(|stored| stored)).count())
        };

        queue.close();

        let unfinished = |queue: &MemoryQueue| queue.0.locked(|state, _| state.table.unfinished());
        let at_close = unfinished(&queue);
        assert!(push_at_once(&queue).is_err());
        let stored = pusher.join().unwrap();
        assert_eq!(unfinished(&queue), 1 + stored as u64);
        assert_eq!(unfinished(&queue), at_close, "none was stored after the close");
    });
}

/// Q84: a caller that waits for the end of a job is woken, however its beginning and the end interleave.
#[test]
fn loom_a_caller_that_waits_for_an_end_is_woken() {
    loom::model(|| {
        let queue = queue(None);
        block_on(queue.push(vec![job()])).unwrap();
        let delivery = block_on(queue.claim(&Demand::new("default", 1))).unwrap().remove(0);
        let waiter = {
            let (queue, id) = (queue.clone(), delivery.id());
            thread::spawn(move || block_on(queue.ended(&[id], Duration::MAX)))
        };

        block_on(queue.settle(vec![Settlement::new(delivery.lease, Transition::complete())])).unwrap();

        // The queue keeps no completed jobs, so the job is gone.
        assert!(matches!(waiter.join().unwrap().as_deref(), Ok([None])));
    });
}
