//! A call that must wait, and then wake.
//!
//! The call is polled by hand, only after its waker was woken, so a lost wake-up shows as a hang. The counter of polls shows a
//! queue that spins.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use queue_core::{Admin, Delivery, Demand, JobId, JobRecord, NewJob, QueueError, Receipt};
use tokio::time::timeout;

/// The answer of a waiting claim.
pub(super) type Claimed = Result<Vec<Delivery>, QueueError>;

/// The answer of a waiting push.
pub(super) type Pushed = Result<Vec<Receipt>, QueueError>;

/// The answer of a wait for the end of jobs.
pub(super) type Ended = Result<Vec<Option<JobRecord>>, QueueError>;

/// How often a call that must wait is polled.
const POLLS: usize = 5;

/// A call in flight. It is polled only after its waker was woken, so that a lost wake-up shows as a hang.
pub(super) struct Waiter<T> {
    what: String,
    call: FuturesUnordered<BoxFuture<'static, T>>,
    polls: Arc<AtomicUsize>,
    /// How long, in real time, a wake-up may take.
    patience: Duration,
}

impl<T: Send + fmt::Debug + 'static> Waiter<T> {
    fn new(what: String, patience: Duration, call: impl Future<Output = T> + Send + 'static) -> Self {
        let polls = Arc::new(AtomicUsize::new(0));
        let (counted, mut call) = (polls.clone(), Box::pin(call));
        let call: BoxFuture<'static, T> = Box::pin(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            call.as_mut().poll(cx)
        }));
        Self { what, call: FuturesUnordered::from_iter([call]), polls, patience }
    }

    /// Polls the call once, if it was woken. Returns its answer, if it has one.
    pub(super) fn poll_once(&mut self) -> Option<T> {
        self.call.next().now_or_never().flatten()
    }

    /// Checks that the call waits, and still waits while the queue does other work.
    #[track_caller]
    pub(super) fn waits<'a>(&'a mut self, queue: &'a dyn Admin) -> impl Future<Output = ()> + 'a {
        let place = Location::caller();
        async move {
            for _ in 0..POLLS {
                if let Some(answer) = self.poll_once() {
                    panic!("{} must wait (at {place}), and it returned {answer:?}", self.what);
                }
                if let Err(error) = queue.counts().await {
                    panic!("`counts` failed while {} waited: {error}", self.what);
                }
                // Let the queue's own tasks on the runtime run.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Checks that the call is woken, and returns its answer.
    #[track_caller]
    pub(super) fn wakes(mut self) -> impl Future<Output = T> {
        let place = Location::caller();
        async move {
            match timeout(self.patience, self.call.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => panic!("{} had been answered before (at {place})", self.what),
                Err(_) => panic!(
                    "{} must wake (at {place}), and was not woken within {:?} of real time",
                    self.what, self.patience
                ),
            }
        }
    }

    /// Returns how often the call was polled.
    pub(super) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }
}

/// Starts a claim that may wait.
pub(super) fn claim(queue: &Arc<dyn Admin>, patience: Duration, demand: Demand) -> Waiter<Claimed> {
    let what = format!("a claim of up to {} of {:?}", demand.max, demand.queues);
    let queue = queue.clone();
    Waiter::new(what, patience, async move { queue.claim(&demand).await })
}

/// Starts a push that may wait.
pub(super) fn push(queue: &Arc<dyn Admin>, patience: Duration, jobs: Vec<NewJob>) -> Waiter<Pushed> {
    let what = format!("a push of {} jobs", jobs.len());
    let queue = queue.clone();
    Waiter::new(what, patience, async move { queue.push(jobs).await })
}

/// Starts a wait for the end of jobs.
pub(super) fn ended(
    queue: &Arc<dyn Admin>,
    patience: Duration,
    ids: Vec<JobId>,
    wait: Duration,
) -> Waiter<Ended> {
    let what = format!("a wait for the end of {ids:?}");
    let queue = queue.clone();
    Waiter::new(what, patience, async move { queue.ended(&ids, wait).await })
}

/// Polls a call at most `polls` times, whether it was woken or not, and then drops it.
pub(super) async fn poll_and_drop<T>(polls: usize, call: impl Future<Output = T> + Send) -> Option<T> {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if let Poll::Ready(answer) = polled {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}
