//! Removes old finished jobs in the background: a batch with a transaction at a time.

use std::time::{Duration, Instant};

use queue_core::backend::{PruneSchedule, RetentionPeriods};

use crate::table::Table;

/// How long after a batch the next one is pruned, with a transaction that has other work.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long after a batch the next one is pruned in a transaction of its own, if there was no other.
const IDLE_INTERVAL: Duration = Duration::from_secs(60);

/// The number of jobs in a batch: large enough to keep up with the jobs that finish, small enough to delay no call.
const BATCH: usize = 1_000;

/// When and what the writer prunes. Has no schedule if all jobs are kept forever.
///
/// The first transaction prunes, so a program that only reads a file does not change it.
pub(super) struct Pruning(Option<PruneSchedule>);

impl Pruning {
    pub(super) fn new(periods: RetentionPeriods) -> Self {
        Self(PruneSchedule::new(periods, BATCH))
    }

    /// Returns whether a transaction of its own is due.
    pub(super) fn is_due(&self) -> bool {
        self.own_transaction().is_some_and(|due| due <= Instant::now())
    }

    /// Waits until a transaction of its own is due.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn wait_until_due(&self) {
        match self.own_transaction() {
            Some(due) => tokio::time::sleep_until(due.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Removes a batch of old jobs if that is due, and unused partitions.
    pub(super) fn prune(&mut self, table: &mut Table<'_>) -> rusqlite::Result<()> {
        let Some(schedule) = &mut self.0 else { return Ok(()) };
        let now = Instant::now();
        if schedule.next(INTERVAL).is_none_or(|due| due <= now) {
            let pruned = table.prune(schedule.batch())?;
            schedule.note_pruned(pruned, now);
            table.delete_idle_partitions()?;
        }
        Ok(())
    }

    /// Postpones the next batch after a transaction that failed.
    pub(super) fn postpone(&mut self) {
        if let Some(schedule) = &mut self.0 {
            schedule.postpone(Instant::now());
        }
    }

    /// Returns when a transaction of its own is due.
    fn own_transaction(&self) -> Option<Instant> {
        self.0.as_ref()?.next(IDLE_INTERVAL)
    }
}
