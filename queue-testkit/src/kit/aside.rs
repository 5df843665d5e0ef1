//! A thread of the kit's own, with a small runtime. It waits for real time. It also runs the calls that the test's thread must not
//! run, because the caller is synchronous or because tokio's time is paused there.
//!
//! The thread starts at the first call and ends when the last handle is dropped.

use std::fmt;
use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A handle of the thread. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Aside(Arc<OnceLock<Started>>);

struct Started {
    handle: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Aside {
    /// Waits for real time, which counts from this call, whatever the caller's runtime is.
    pub(super) fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let sleeping = self.started().handle.spawn(async move { tokio::time::sleep(time).await });
        let abort = AbortOnDrop(sleeping.abort_handle());
        async move {
            // A sleep that was aborted belongs to a dropped future.
            drop(sleeping.await);
            drop(abort);
        }
    }

    /// Runs `work` on the thread and blocks the calling thread meanwhile. Returns `None` after `patience`.
    pub(super) fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, is_done) = sync_channel(1);
        self.started().handle.spawn(async move { done.send(work.await) });
        is_done.recv_timeout(patience).ok()
    }

    #[expect(clippy::panic, reason = "a test that can't start a thread fails by a panic")]
    fn started(&self) -> &Started {
        self.0.get_or_init(|| {
            start().unwrap_or_else(|error| panic!("the kit could not start a thread: {error}"))
        })
    }
}

fn start() -> std::io::Result<Started> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || runtime.block_on(async { drop(stopped.await) });
    std::thread::Builder::new().name("queue-testkit".into()).spawn(run)?;
    Ok(Started { handle, _stop: stop })
}

/// Aborts a task when the future that waits for it is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside(..)")
    }
}
