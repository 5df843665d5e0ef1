//! The builder of a queue, and how a queue is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{Reply, SchemaStatus};
use queue_core::{Clock, Limits, NewJob, QueueError};

use crate::migrations;
use crate::queue::SqliteQueue;
use crate::settings::{Settings, Synchronous};

impl SqliteQueue {
    /// Opens the queue in the file at `path`, and creates the file if there is none. `":memory:"` opens a queue for tests.
    ///
    /// # Errors
    ///
    /// The errors of [`SqliteQueueBuilder::open`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file may have been created and migrated.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, QueueError> {
        Self::builder(path).open().await
    }

    /// Returns a builder that opens a queue with other settings.
    pub fn builder(path: impl AsRef<Path>) -> SqliteQueueBuilder {
        SqliteQueueBuilder { settings: Settings::new(path.as_ref()) }
    }
}

/// Settings of a [`SqliteQueue`]. [`SqliteQueue::builder`] creates it.
#[must_use = "a builder does nothing until `open` is called"]
#[derive(Clone)]
pub struct SqliteQueueBuilder {
    settings: Settings,
}

impl SqliteQueueBuilder {
    /// Sets whether opening creates the file and migrates its schema, `true` by default. With `false`, opening only checks that the
    /// file exists and its schema is up to date: a misspelt path is an error, and the file of another program stays as it is.
    pub fn run_migrations(mut self, run_migrations: bool) -> Self {
        self.settings.run_migrations = run_migrations;
        self
    }

    /// Sets when SQLite reports a commit as done; by default when it is on disk.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.settings.synchronous = synchronous;
        self
    }

    /// Sets how long a call waits for a file that another connection has locked before it fails as `Unavailable`; 30 s by
    /// default.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        // SQLite stores milliseconds in 31 bits.
        self.settings.busy_timeout = timeout.min(Duration::from_millis(i32::MAX as u64));
        self
    }

    /// Sets how often a waiting claim polls for jobs of other processes; 25 ms by default, and at least 1 ms.
    ///
    /// A poll costs a few microseconds and reads no job. Jobs that this process pushes wake its claims at once.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how long completed jobs are kept; a day by default, forever with `None`.
    ///
    /// When a job is removed, its unique key becomes free, even within the key's window. So keep jobs at least as long as
    /// the longest window.
    pub fn keep_completed(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.settings.retention.completed = age.into();
        self
    }

    /// Sets how long cancelled jobs are kept; a day by default, forever with `None`.
    pub fn keep_cancelled(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.settings.retention.cancelled = age.into();
        self
    }

    /// Sets how long discarded jobs are kept; seven days by default, forever with `None`.
    pub fn keep_discarded(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.settings.retention.discarded = age.into();
        self
    }

    /// Sets the limits of names, payloads, meta and batches.
    ///
    /// A row of SQLite has at most a billion bytes. So a limit above 900 MB for a payload, or above 50 MB for meta, is lowered
    /// to that.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = storable(limits);
        self
    }

    /// Adds a function that sees each job before it is stored, and may change it, for example to add a trace context to its meta.
    /// The function sees the jobs of `push`, `enqueue` and `enqueue_in`. It does not see followups, which inherit the meta of their
    /// job. Functions run in the order in which they were added, in the task of the caller.
    pub fn on_push(mut self, hook: impl Fn(&mut NewJob) + Send + Sync + 'static) -> Self {
        self.settings.hooks.add(hook);
        self
    }

    /// Sets the clock, for tests; by default it is that of the machine, since all processes that share a file must agree.
    ///
    /// If a test can move the clock, such as a `queue_testkit::VirtualClock`,
    /// [`Admin::test_clock`](queue_core::Admin::test_clock) returns it.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Returns the version of the schema in the file, and the SQL that it lacks. Creates and writes nothing. The version of a file
    /// that does not exist is 0.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a thread may still read the file.
    pub async fn schema_status(self) -> Result<SchemaStatus, QueueError> {
        let (reply, answer) =
            Reply::new(|| QueueError::unavailable("the thread that reads the schema panicked"));
        let read = move || reply.send(migrations::status(&self.settings.location));
        let thread = std::thread::Builder::new().name("queue-sqlite-schema".into()).spawn(read);
        thread.map_err(|error| QueueError::unavailable("no thread could be started").with_source(error))?;
        answer.await
    }

    /// Opens the queue. Creates the file if there is none, readable by its owner only, unless
    /// [`run_migrations`](Self::run_migrations) is off.
    ///
    /// # Errors
    ///
    /// - `Invalid` if the path can't be a file.
    /// - `Unsupported` if the schema is newer than this program, or older and must not be migrated.
    /// - `Corrupt` if the file is not a database.
    /// - `Unavailable` if the file can't be read or written now.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file may have been created and migrated.
    pub async fn open(self) -> Result<SqliteQueue, QueueError> {
        SqliteQueue::start(self.settings).await
    }
}

impl std::fmt::Debug for SqliteQueueBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteQueueBuilder")
            .field("location", &self.settings.location)
            .field("synchronous", &self.settings.synchronous)
            .field("retention", &self.settings.retention)
            .finish_non_exhaustive()
    }
}

/// The largest payload and the largest meta that fit into one row of SQLite, which has at most a billion bytes.
const LARGEST_PAYLOAD: usize = 900_000_000;
const LARGEST_META: usize = 50_000_000;

/// Returns `limits`, lowered to what SQLite can store.
fn storable(mut limits: Limits) -> Limits {
    limits.payload = limits.payload.min(LARGEST_PAYLOAD);
    limits.meta = limits.meta.min(LARGEST_META);
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_lowered_to_what_sqlite_can_store() {
        let mut raised = Limits::default().payload(usize::MAX);
        raised.meta = usize::MAX;

        let limits = storable(raised);

        assert!(limits.payload + limits.meta < 1_000_000_000, "{limits:?}");
        assert_eq!(storable(Limits::default()), Limits::default());
    }
}
