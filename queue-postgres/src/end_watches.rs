//! The calls of this handle that wait for the end of jobs, and are woken when the same handle ends one of them.
//!
//! # Who wakes whom
//!
//! | waiter | waits for | woken by |
//! | --- | --- | --- |
//! | a call of `ended` | its next poll | the settle tasks, a unit of work or an operator's call of this handle that ended one of its jobs |
//!
//! # Races
//!
//! A call registers before its first poll. A job that ends after that poll was committed after the registration, so the task
//! that ended it finds the registration. A wakeup between two waits is kept for the second one.
//!
//! A wakeup causes a poll, and the poll decides: the job may have been retried. Jobs that other processes end are found by
//! polls alone. A notification for each completion would be paid by all jobs, and commits that notify wait for one another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::JobId;
use tokio::sync::Notify;
use tokio::time::timeout;

type WaitingCalls = HashMap<JobId, Vec<Arc<Notify>>>;

/// The calls that wait, by their jobs.
#[derive(Default)]
pub(crate) struct EndWatches {
    /// The number of calls. Read without the lock, so a settlement costs nothing more if no call waits.
    calls: AtomicUsize,
    waits: Mutex<WaitingCalls>,
}

impl EndWatches {
    /// Registers a call that waits for one of these jobs.
    pub(crate) fn register(self: &Arc<Self>, ids: &[JobId]) -> EndWatch {
        let wakeup = Arc::new(Notify::new());
        let mut waits = self.lock();
        for id in ids {
            waits.entry(*id).or_default().push(wakeup.clone());
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        drop(waits);
        EndWatch { watches: self.clone(), ids: ids.into(), wakeup }
    }

    /// Wakes the calls that wait for one of these jobs, which may have ended.
    pub(crate) fn wake(&self, ids: impl IntoIterator<Item = JobId>) {
        if self.calls.load(Ordering::SeqCst) == 0 {
            return;
        }
        let waits = self.lock();
        for wakeup in ids.into_iter().filter_map(|id| waits.get(&id)).flatten() {
            wakeup.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingCalls> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a call. Dropping it ends the registration.
pub(crate) struct EndWatch {
    watches: Arc<EndWatches>,
    ids: Box<[JobId]>,
    wakeup: Arc<Notify>,
}

impl EndWatch {
    /// Returns a wait that is over after `length`, or once one of the jobs may have ended.
    pub(crate) fn pause(&self, length: Duration) -> impl Future<Output = ()> + Send + 'static {
        let wakeup = self.wakeup.clone();
        async move {
            // Both ends of the wait lead to a poll.
            timeout(length, wakeup.notified()).await.ok();
        }
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        let mut waits = self.watches.lock();
        for id in &self.ids {
            if let Some(wakeups) = waits.get_mut(id) {
                wakeups.retain(|wakeup| !Arc::ptr_eq(wakeup, &self.wakeup));
                if wakeups.is_empty() {
                    waits.remove(id);
                }
            }
        }
        self.watches.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn id(number: u128) -> JobId {
        JobId::from_u128(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_woken_by_the_end_of_its_own_jobs_alone() {
        let watches = Arc::new(EndWatches::default());
        let (first, second) = (watches.register(&[id(1), id(2)]), watches.register(&[id(3)]));
        let start = Instant::now();

        watches.wake([id(2)]);
        first.pause(LONG).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "a wakeup before the pause is kept");

        second.pause(LONG).await;
        assert_eq!(start.elapsed(), LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_during_the_pause_ends_it() {
        let watches = Arc::new(EndWatches::default());
        let watch = watches.register(&[id(1)]);
        let start = Instant::now();

        let end = async { watches.wake([id(9), id(1)]) };
        tokio::join!(watch.pause(LONG), end);

        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_dropped_call_leaves_nothing_behind() {
        let watches = Arc::new(EndWatches::default());
        let (first, second) = (watches.register(&[id(1), id(1)]), watches.register(&[id(1)]));

        drop(first);
        assert_eq!(watches.lock().values().map(Vec::len).sum::<usize>(), 1);
        drop(second);

        assert!(watches.lock().is_empty());
        assert_eq!(watches.calls.load(Ordering::SeqCst), 0);
    }
}
