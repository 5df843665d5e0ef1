//! When a backend prunes, a batch at a time.

use std::time::{Duration, Instant};

use super::retention::RetentionPeriods;
use crate::contract::admin::Prune;

/// Schedules what a backend prunes in the background.
///
/// A batch is large enough to keep up with the jobs that finish, and small enough to delay no other call. After a full batch,
/// the next one follows at once. Otherwise it follows after an interval.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use queue_core::backend::{PruneSchedule, RetentionPeriods};
///
/// let mut schedule = PruneSchedule::new(RetentionPeriods::default(), 1_000).unwrap();
/// let (now, minute) = (Instant::now(), Duration::from_secs(60));
/// assert_eq!(schedule.next(minute), None); // nothing was pruned yet
///
/// schedule.note_pruned(1_000, now);
/// assert_eq!(schedule.next(minute), Some(now));
/// schedule.note_pruned(17, now);
/// assert_eq!(schedule.next(minute), Some(now + minute));
/// ```
#[derive(Clone, Debug)]
pub struct PruneSchedule {
    batch: Prune,
    last: Option<LastBatch>,
}

#[derive(Clone, Copy, Debug)]
struct LastBatch {
    at: Instant,
    is_full: bool,
}

impl PruneSchedule {
    /// Creates a schedule for batches of at most `batch` jobs. Returns `None` if all jobs are kept forever.
    #[must_use]
    pub fn new(periods: RetentionPeriods, batch: usize) -> Option<Self> {
        Some(Self { batch: periods.prune(batch)?, last: None })
    }

    /// Returns what to prune in one batch.
    #[must_use]
    pub const fn batch(&self) -> &Prune {
        &self.batch
    }

    /// Returns when the next batch is due, if `interval` is the time between a batch that was not full and the next one.
    /// `None` before the first batch.
    #[must_use]
    pub fn next(&self, interval: Duration) -> Option<Instant> {
        self.last.map(|last| if last.is_full { last.at } else { last.at + interval })
    }

    /// Notes that a batch of `pruned` jobs was pruned at `now`.
    pub fn note_pruned(&mut self, pruned: u64, now: Instant) {
        let is_full = usize::try_from(pruned).unwrap_or(usize::MAX) >= self.batch.limit;
        self.last = Some(LastBatch { at: now, is_full });
    }

    /// Postpones the next batch by an interval, after an error at `now`.
    pub fn postpone(&mut self, now: Instant) {
        self.last = Some(LastBatch { at: now, is_full: false });
    }
}
