//! A call that is expected to wait, and then to wake.

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
use queue_core::{Admin, Delivery, Demand, NewJob, QueueError, Receipt};
use tokio::time::timeout;

/// What a waiting claim answers.
pub(super) type Claimed = Result<Vec<Delivery>, QueueError>;

/// What a waiting push answers.
pub(super) type Pushed = Result<Vec<Receipt>, QueueError>;

/// How often a call that should wait is looked at.
const LOOKS: usize = 5;

/// A call in flight, polled when its waker was woken and not otherwise: a wake-up that is lost shows as a hang.
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

    /// Looks at the call once; what it answered, if it did.
    pub(super) fn look(&mut self) -> Option<T> {
        self.call.next().now_or_never().flatten()
    }

    /// Holds that the call waits, and goes on waiting while the queue does other things.
    #[track_caller]
    pub(super) fn waits<'a>(&'a mut self, queue: &'a dyn Admin) -> impl Future<Output = ()> + 'a {
        let place = Location::caller();
        async move {
            for _ in 0..LOOKS {
                if let Some(answer) = self.look() {
                    panic!("{} was to wait (at {place}), and it answered {answer:?}", self.what);
                }
                if let Err(error) = queue.counts().await {
                    panic!("`counts` failed while {} waited: {error}", self.what);
                }
                // Whatever the queue does on the runtime has its turn.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Holds that the call is woken, and gives its answer.
    #[track_caller]
    pub(super) fn wakes(mut self) -> impl Future<Output = T> {
        let place = Location::caller();
        async move {
            match timeout(self.patience, self.call.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => panic!("{} had been answered before (at {place})", self.what),
                Err(_) => panic!(
                    "{} was to wake (at {place}), and was not woken within {:?} of real time",
                    self.what, self.patience
                ),
            }
        }
    }

    /// How often the call was polled.
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

/// Polls a call up to so many times, whether it was woken or not, and then drops it.
pub(super) async fn poll_and_drop<T>(polls: usize, call: impl Future<Output = T> + Send) -> Option<T> {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        let look = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if let Poll::Ready(answer) = look {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}
