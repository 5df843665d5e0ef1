//! Polls a future of the kit. Moves virtual time while the future waits, and fails if it waits for too long in real time.
//!
//! When the future is pending, it either woke itself during the poll and is polled again at once, or it waits. If a sleeper of
//! the kit's own clock is registered then and no blocking job runs, the clock jumps to the sleeper, or to the next renewal of
//! leases if that comes first. Otherwise the future waits for a real event, and `drive` returns pending to the outer task.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::{BoxFuture, poll_fn};

use super::{KitError, TestKit};

impl TestKit {
    /// Runs a future to its end, as [`drive`](Self::drive) does, unless it waits for longer than the kit's patience.
    pub(super) async fn watched<T>(
        &self,
        future: impl Future<Output = Result<T, KitError>>,
    ) -> Result<T, KitError> {
        let mut future = pin!(self.drive(future));
        let mut over = None;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = future.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            let over = over.get_or_insert_with(|| Box::pin(self.aside.sleep(self.patience)));
            over.as_mut().poll(cx).map(|()| Err(self.stuck()))
        })
        .await
    }

    /// Runs a future to its end. When it waits without having been woken, the kit's own clock jumps to the next wake-up.
    ///
    /// Tokio's paused time does so by itself, and real time does not jump.
    pub(super) async fn drive<F: Future>(&self, future: F) -> F::Output {
        if !self.clock.jumps() {
            return future.await;
        }
        let mut future = pin!(future);
        let mut renewal: Option<BoxFuture<'_, ()>> = None;
        poll_fn(|cx| {
            loop {
                if let Some(renewing) = &mut renewal {
                    if renewing.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    renewal = None;
                }
                let woken = Arc::new(Woken { outer: cx.waker().clone(), flag: AtomicBool::new(false) });
                let waker = Waker::from(woken.clone());
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(output);
                }
                if woken.flag.load(Ordering::SeqCst) {
                    continue;
                }
                match self.clock.time().next_wake().filter(|_| !self.threads.are_busy()) {
                    Some(at) => match self.renew_at().filter(|renew_at| *renew_at <= at) {
                        Some(renew_at) => {
                            self.clock.time().advance_to(renew_at);
                            renewal = Some(Box::pin(self.keep_leases()));
                        }
                        None => self.clock.time().advance_to(at),
                    },
                    // The future waits for a real event, which wakes it through the outer waker.
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Ends the attempt that runs, as a crash would, and returns the error of a wait that lasts too long.
    fn stuck(&self) -> KitError {
        let error = match &self.progress().running {
            Some(held) => KitError::NeverEnds {
                job: held.attempt.delivery().name.clone(),
                attempt: held.attempt.delivery().attempt,
                patience: self.patience,
            },
            None => KitError::NoAnswer { patience: self.patience },
        };
        self.crash();
        error
    }
}

/// Records that it was woken, and forwards the wake-up.
struct Woken {
    outer: Waker,
    flag: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        self.outer.wake_by_ref();
    }
}
