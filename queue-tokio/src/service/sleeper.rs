//! The sleep of a task that others wake when there is work for it.

#[cfg(not(queue_loom))]
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(queue_loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
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

#[cfg(all(test, not(queue_loom)))]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt as _, poll};

    use super::*;

    #[tokio::test]
    async fn a_sleeping_task_is_woken() {
        let sleeper = Sleeper::default();
        let mut sleep = pin!(sleeper.sleep_unless(|| false));
        assert!(poll!(sleep.as_mut()).is_pending());

        sleeper.wake();

        assert!(poll!(sleep).is_ready());
    }

    #[test]
    fn a_task_with_work_does_not_sleep() {
        assert!(Sleeper::default().sleep_unless(|| true).now_or_never().is_some());
    }

    #[test]
    fn waking_a_task_that_is_awake_does_nothing() {
        let sleeper = Sleeper::default();

        sleeper.wake();

        assert!(sleeper.sleep_unless(|| false).now_or_never().is_none());
    }

    #[test]
    fn a_sleep_that_is_dropped_can_be_repeated() {
        let sleeper = Sleeper::default();
        assert!(sleeper.sleep_unless(|| false).now_or_never().is_none());
        sleeper.wake();

        assert!(sleeper.sleep_unless(|| false).now_or_never().is_some(), "the wake-up is not lost");
        assert!(sleeper.sleep_unless(|| false).now_or_never().is_none());
    }
}

#[cfg(all(test, queue_loom))]
mod loom_models {
    use std::sync::Arc;

    use loom::future::block_on;
    use loom::sync::Mutex;
    use loom::thread;

    use super::*;

    /// Work that comes while the task falls asleep wakes it.
    ///
    /// One piece of work: loom does not see that a wake-up by tokio's `Notify` orders the task's next store after `wake`.
    #[test]
    fn loom_no_wake_up_is_missed() {
        loom::model(|| {
            let shared = Arc::new((Sleeper::default(), Mutex::new(false)));
            let sleeping = {
                let shared = shared.clone();
                thread::spawn(move || {
                    let (sleeper, work) = &*shared;
                    block_on(sleeper.sleep_unless(|| *work.lock().unwrap()));
                    assert!(*work.lock().unwrap(), "it slept until there was work");
                })
            };

            let (sleeper, work) = &*shared;
            *work.lock().unwrap() = true;
            sleeper.wake();

            sleeping.join().unwrap();
        });
    }
}
