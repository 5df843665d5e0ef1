//! The tasks of a run.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use queue_core::Runtime;
use queue_core::backend::panic_message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts the tasks of a run, and notes when they end or panic. Each keeps the queue open while it lives.
///
/// A job does not panic in a task of the loop; a queue, a subscriber, or a payload's `Drop` may.
#[derive(Clone)]
pub(super) struct RunTasks {
    runtime: Arc<dyn Runtime>,
    tracker: TaskTracker,
    panicked: Arc<(OnceLock<String>, CancellationToken)>,
}

impl RunTasks {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, tracker: TaskTracker::new(), panicked: Arc::default() }
    }

    /// Starts a task on the runtime of the jobs.
    pub(super) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(self.watch(name, task));
    }

    /// Starts a task on a thread of its own, which jobs cannot block.
    pub(super) fn spawn_apart(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn_apart(name, self.watch(name, task));
    }

    fn watch(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        let panicked = self.panicked.clone();
        let task = async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                // The loop ends with the first one.
                drop(panicked.0.set(format!("the task `{name}` {}", panic_message(panic.as_ref()))));
                panicked.1.cancel();
            }
        };
        Box::pin(self.tracker.track_future(task))
    }

    /// Waits until a task has panicked. Returns its name and message.
    pub(super) async fn panicked(&self) -> String {
        self.panicked.1.cancelled().await;
        self.panicked.0.get().cloned().unwrap_or_default()
    }

    /// Waits until all tasks have ended.
    pub(super) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl fmt::Debug for RunTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunTasks").field("running", &self.tracker.len()).finish_non_exhaustive()
    }
}
