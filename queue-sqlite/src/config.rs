//! The settings of a queue.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{Clock, Limits, QueueError};

use crate::clock::SystemClock;
use crate::location::Location;
use crate::queue::SqliteQueue;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// Once it is on disk and would survive a power cut.
    #[default]
    Full = 2,
    /// Once the operating system has it: it survives a crash of the program, and the last commits before a power cut
    /// or a crash of the machine may be lost. The file stays whole either way.
    Normal = 1,
}

/// Settings of a [`SqliteQueue`]; made by [`SqliteQueue::builder`].
#[must_use = "a queue is opened by `open`"]
#[derive(Clone)]
pub struct SqliteQueueBuilder {
    pub(crate) location: Location,
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) retention: Prune,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The largest payload and the largest meta that SQLite stores in one row, which has a billion bytes at most.
const LARGEST_PAYLOAD: usize = 900_000_000;
const LARGEST_META: usize = 50_000_000;

fn storable(mut limits: Limits) -> Limits {
    limits.payload = limits.payload.min(LARGEST_PAYLOAD);
    limits.meta = limits.meta.min(LARGEST_META);
    limits
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl SqliteQueueBuilder {
    pub(crate) fn new(path: &Path) -> Self {
        let mut retention = Prune::nothing();
        retention.completed = Some(DAY);
        retention.cancelled = Some(DAY);
        retention.discarded = Some(DAY * 7);
        Self {
            location: Location::from_path(path),
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_millis(25),
            retention,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Says when a commit counts as done; by default once it is on disk.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Waits so long for a file that others keep locked before a call answers `Unavailable`; 30 s by default.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        // SQLite counts milliseconds in 31 bits.
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX as u64));
        self
    }

    /// Looks so often for jobs of other processes while a claim waits; 25 ms by default.
    ///
    /// What this process pushes itself is seen at once. One look costs a few microseconds and reads no job. The least is
    /// a millisecond.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Keeps completed jobs for so long; a day by default, `None` for ever.
    ///
    /// A job's unique key goes with the job, even within its window; so keep jobs for as long as the longest window.
    pub fn keep_completed(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.completed = age.into();
        self
    }

    /// Keeps cancelled jobs for so long; a day by default, `None` for ever.
    pub fn keep_cancelled(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.cancelled = age.into();
        self
    }

    /// Keeps discarded jobs for so long; seven days by default, `None` for ever.
    pub fn keep_discarded(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.retention.discarded = age.into();
        self
    }

    /// Sets other limits than the default ones.
    ///
    /// SQLite stores at most a billion bytes in a row, so a payload has at most 900 MB, and meta at most 50 MB, whatever
    /// the limits are.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = storable(limits);
        self
    }

    /// Goes by another clock than the machine's; for tests, since all processes that share a file have to agree.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the queue; the file is made where there is none, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// `Invalid` for a path that can't be a file, `Unsupported` for a schema that is newer than this program,
    /// `Corrupt` for what is no database, `Unavailable` for what can't be read or written now.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the file made and migrated.
    pub async fn open(self) -> Result<SqliteQueue, QueueError> {
        SqliteQueue::start(self).await
    }
}

impl std::fmt::Debug for SqliteQueueBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteQueueBuilder")
            .field("location", &self.location)
            .field("synchronous", &self.synchronous)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_that_sqlite_can_store() {
        let mut raised = Limits::default().payload(usize::MAX);
        raised.meta = usize::MAX;

        let limits = storable(raised);

        assert!(limits.payload + limits.meta < 1_000_000_000, "{limits:?}");
        assert_eq!(storable(Limits::default()), Limits::default());
    }
}
