//! The runtime of the hosted loop, on tokio.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{Blocking, Clock, Runtime, Timestamp};
use tokio::runtime::{Builder, Handle};

use crate::clock::{TokioClock, is_time_paused};

/// The tokio runtime of a program.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    clock: TokioClock,
    handle: Handle,
}

impl TokioRuntime {
    /// Returns the current runtime.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    #[must_use]
    pub fn current() -> Self {
        Self { clock: TokioClock::new(), handle: Handle::current() }
    }
}

impl Clock for TokioRuntime {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

impl Blocking for TokioRuntime {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        // If the future is dropped before the call has begun, the call never begins.
        let mut running = AbortOnDrop(self.handle.spawn_blocking(call));
        Box::pin(async move {
            if (&mut running.0).await.is_err() {
                tracing::warn!("a blocking call was interrupted: the runtime is shutting down");
            }
        })
    }
}

impl Runtime for TokioRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.handle.spawn(task));
    }

    fn spawn_apart(&self, name: &str, task: BoxFuture<'static, ()>) {
        // A dedicated thread has its own clock, which a test that pauses this one does not advance.
        if is_time_paused() {
            return self.spawn(task);
        }
        let apart = Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = apart else {
            tracing::warn!(
                thread = name,
                "could not create the runtime of a dedicated thread; running the task on the main runtime"
            );
            return self.spawn(task);
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        let task = Arc::new(Mutex::new(Some(task)));
        let taken = task.clone();
        let take = |task: &Mutex<Option<_>>| task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let started = thread.spawn(move || {
            if let Some(task) = take(&taken) {
                runtime.block_on(task);
            }
        });
        if let Err(error) = started {
            tracing::warn!(thread = name, %error, "could not start a dedicated thread; running the task on the main runtime");
            if let Some(task) = take(&task) {
                self.spawn(task);
            }
        }
    }

    fn threads(&self) -> usize {
        self.handle.metrics().num_workers()
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
