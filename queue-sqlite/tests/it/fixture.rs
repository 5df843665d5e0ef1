//! A queue in a temporary file or in memory, with a clock that tests advance.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::Fixture;
use queue_core::{Admin, Clock as _, Timestamp, background_job};
use queue_sqlite::{SqliteQueue, SqliteQueueBuilder, Synchronous};
use queue_testkit::VirtualClock;
use tempfile::TempDir;

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A job for tests.
#[background_job]
pub(crate) async fn work(number: u32) {
    let _: u32 = number;
}

/// A `Blocking` for attempts that need no thread.
pub(crate) struct NoThreads;

impl queue_core::Blocking for NoThreads {
    fn run_blocking(&self, _: Box<dyn FnOnce() + Send>) -> queue_core::BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// A poll interval that no test waits for, so that a poll can't be what wakes a claim.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24);

pub(crate) struct UnderTest {
    clock: VirtualClock,
    queue: SqliteQueue,
    path: PathBuf,
    /// Removed when this is dropped.
    _folder: Option<TempDir>,
}

impl UnderTest {
    /// Creates a queue in a file.
    pub(crate) async fn in_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("jobs.db");
        Self::at(path, Some(folder)).await
    }

    /// Creates a queue in memory.
    pub(crate) async fn in_memory() -> Self {
        Self::at(":memory:".into(), None).await
    }

    async fn at(path: PathBuf, folder: Option<TempDir>) -> Self {
        let clock = VirtualClock::new();
        let queue = builder(&path, &clock).open().await.expect("a fresh queue");
        Self { clock, queue, path, _folder: folder }
    }
}

/// Returns a builder that keeps all jobs, uses only `clock`, and does not wait for the disk.
///
/// The laws make hundreds of thousands of calls, and none of them depends on the disk.
fn builder(path: &Path, clock: &VirtualClock) -> SqliteQueueBuilder {
    let builder = SqliteQueue::builder(path).clock(clock.clone()).poll_interval(NEVER);
    builder.synchronous(Synchronous::Normal).keep_completed(None).keep_cancelled(None).keep_discarded(None)
}

#[async_trait]
impl Fixture for UnderTest {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.queue.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.queue.poll_now().await;
    }

    async fn close(&self) {
        self.queue.close();
    }

    async fn reopen(&self) -> Option<Arc<dyn Admin>> {
        let folder = self._folder.as_ref()?;
        assert!(self.path.starts_with(folder.path()));
        let queue = builder(&self.path, &self.clock).open().await.expect("the same file again");
        Some(Arc::new(queue))
    }
}
