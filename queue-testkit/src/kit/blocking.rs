//! The threads of a kit's blocking jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use queue_core::Blocking;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Runs blocking jobs as a host does: on a thread of the current tokio runtime, where `Handle::current` works, or on a new thread if
/// there is no runtime.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<AtomicUsize>);

impl Threads {
    /// Returns whether a blocking job runs. Virtual time stands still meanwhile.
    pub(super) fn are_busy(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Blocking for Threads {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let busy = Busy::begin(&self.0);
        let (done, is_done) = oneshot::channel();
        let call = move || {
            call();
            drop(busy);
            // The answer is lost if the attempt is over.
            let _ = done.send(());
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(call)),
            Err(_) => drop(std::thread::spawn(call)),
        }
        Box::pin(async move { drop(is_done.await) })
    }
}

/// Counts a call until it is dropped.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
