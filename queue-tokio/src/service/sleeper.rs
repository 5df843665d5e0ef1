//! The sleep of a task that others wake when there is work for it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A place where one task sleeps until another one wakes it. While the task is awake, [`wake`](Self::wake) costs one load.
#[derive(Debug, Default)]
pub(super) struct Sleeper {
    is_asleep: AtomicBool,
    woken: Notify,
}

impl Sleeper {
    /// Waits until another task calls [`wake`](Self::wake), unless there is work.
    ///
    /// A task that creates work does so under a lock that `has_work` takes too, and then calls `wake`. So either `has_work` sees the
    /// work, or `wake` sees that this task is asleep.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub(super) async fn sleep_unless(&self, has_work: impl Fn() -> bool) {
        self.is_asleep.store(true, Ordering::SeqCst);
        if has_work() {
            self.is_asleep.store(false, Ordering::SeqCst);
            return;
        }
        self.woken.notified().await;
    }

    /// Wakes the task if it sleeps.
    pub(super) fn wake(&self) {
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            self.woken.notify_one();
        }
    }
}
