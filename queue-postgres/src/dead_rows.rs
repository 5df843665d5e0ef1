//! Counts the rows that ended jobs leave dead, and wakes the vacuum task when there are many.
//!
//! # Races
//!
//! Jobs may end while the vacuum task runs: they count towards the next vacuum. A wake-up that comes while the task is busy is
//! stored until the task waits again.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The number of ended jobs that wakes the vacuum task. A vacuum after that number takes about 0.1 s.
pub(crate) const JOBS_PER_VACUUM: usize = 100_000;

/// The number of jobs that this process has ended since the vacuum task was last woken. Each left a dead row in `ready` and one
/// in `leases`.
#[derive(Default)]
pub(crate) struct DeadRows {
    jobs: AtomicUsize,
    many: Notify,
}

impl DeadRows {
    /// Notes that jobs have ended.
    pub(crate) fn add(&self, jobs: usize) {
        let before = self.jobs.fetch_add(jobs, Ordering::Relaxed);
        if before + jobs >= JOBS_PER_VACUUM {
            self.jobs.store(0, Ordering::Relaxed);
            self.many.notify_one();
        }
    }

    /// Waits until [`JOBS_PER_VACUUM`] jobs have ended since the last wake-up.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was woken, the wake-up is lost. The next one comes [`JOBS_PER_VACUUM`] jobs later.
    pub(crate) async fn many(&self) {
        self.many.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_task_is_woken_once_for_so_many_jobs() {
        let rows = DeadRows::default();
        rows.add(JOBS_PER_VACUUM - 1);
        assert!(rows.many().now_or_never().is_none(), "one job is missing");
        rows.add(1);
        assert!(rows.many().now_or_never().is_some());
        assert!(rows.many().now_or_never().is_none(), "one wake-up");
        rows.add(3 * JOBS_PER_VACUUM);
        assert!(rows.many().now_or_never().is_some(), "a batch counts whole");
    }
}
