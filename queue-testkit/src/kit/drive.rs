//! Polls a future under virtual time.
//!
//! When the future is pending, it either woke itself during the poll and is polled again at once, or it waits. If a sleeper of
//! the kit's own clock is registered then, the clock jumps to it. Otherwise the future waits for a real event, and `drive`
//! returns pending to the outer task.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::poll_fn;
use queue_core::Timestamp;

use super::TestKit;

impl TestKit {
    /// Runs a future to its end. When it waits without having been woken, the kit's own clock jumps to the next wake-up.
    ///
    /// Tokio's paused time does so by itself.
    pub(super) async fn drive<F: Future>(&self, future: F) -> F::Output {
        if self.clock.is_tokio() {
            return future.await;
        }
        let mut future = pin!(future);
        poll_fn(|cx| {
            loop {
                let woken = Arc::new(Woken { outer: cx.waker().clone(), flag: AtomicBool::new(false) });
                let waker = Waker::from(woken.clone());
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(output);
                }
                if woken.flag.load(Ordering::SeqCst) {
                    continue;
                }
                match self.clock.next_wake() {
                    Some(at) => self.jump(at),
                    // The future waits for a real event, which wakes it through the outer waker.
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Moves the kit's own clock to an instant, or to the next renewal of leases if that comes first.
    fn jump(&self, to: Timestamp) {
        match self.renew_at().filter(|at| *at <= to) {
            Some(at) => {
                self.clock.advance_to(at);
                self.keep_leases();
            }
            None => self.clock.advance_to(to),
        }
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
