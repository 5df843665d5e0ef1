//! Polls a future under virtual time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::poll_fn;
use queue_core::Timestamp;

use super::TestKit;

impl TestKit {
    /// Runs a future to its end. Whenever it waits and nothing has woken it, the kit's own clock jumps to what is due next.
    ///
    /// Tokio's paused time does that by itself.
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
                    // It waits for something real, which wakes it through the outer waker.
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Moves the kit's own clock to what is due, or to where leases are to be renewed, if that comes first.
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

/// Notes that it was woken, and passes that on.
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
