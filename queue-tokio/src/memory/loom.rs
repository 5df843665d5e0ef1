//! Loom models of the permits: every interleaving of pushes, claims and cancellations.
//!
//! `cargo xtask test` runs them, with only this crate compiled under `--cfg queue_loom`.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, poll_fn};
use loom::future::block_on;
use loom::thread;
use queue_core::{Body, Clock, Demand, NewJob, Queue as _, Timestamp};

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
        let done = deliveries
            .into_iter()
            .map(|job| queue_core::Settlement::new(job.lease, queue_core::Transition::complete()))
            .collect();
        block_on(queue.settle(done)).unwrap();

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
