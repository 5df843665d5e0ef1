//! Dropping the last handle closes every connection.

use std::fs;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt as _;
use queue_core::{Admin as _, BoxFuture, Clock, QueueError, QueueExt as _, State, Timestamp};
use queue_sqlite::SqliteQueue;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

async fn available(queue: &SqliteQueue) -> Result<u64, QueueError> {
    Ok(queue.counts().await?.iter().map(|counts| counts.of(State::Available)).sum())
}

#[tokio::test]
async fn a_file_may_be_replaced_after_the_last_handle_was_dropped() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data").join("jobs.db");
    for round in 0..20 {
        fs::create_dir(folder.path().join("data"))?;
        let queue = SqliteQueue::open(&path).await?;
        let clone = queue.clone();
        queue.enqueue(work::new(round)).await?;
        assert_eq!(available(&queue).await?, 1);

        drop(queue);
        assert!(folder.path().join("data").join("jobs.db-wal").exists(), "a clone still has the file open");
        drop(clone);

        assert!(
            !folder.path().join("data").join("jobs.db-wal").exists(),
            "the last connection removes the log"
        );
        fs::remove_dir_all(folder.path().join("data"))?;
    }
    Ok(())
}

#[tokio::test]
async fn calls_made_before_the_drop_are_completed() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;

    let asked = queue.enqueue(work::new(1)).into_future().now_or_never();
    drop(queue);

    assert!(asked.is_none(), "the push answered before it was awaited");
    assert_eq!(available(&SqliteQueue::open(&path).await?).await?, 1);
    Ok(())
}

/// A clock that drops a queue at the next call of `now`, after the test allows it.
#[derive(Clone)]
struct Dropping(Arc<Trap>);

struct Trap {
    clock: VirtualClock,
    queue: Mutex<Option<SqliteQueue>>,
    may_drop: Mutex<mpsc::Receiver<()>>,
    /// Dropped with the last clone of the clock, which the writer thread has.
    _ended: mpsc::Sender<()>,
}

impl Clock for Dropping {
    fn now(&self) -> Timestamp {
        let queue = self.0.queue.lock().expect("no panic").take();
        if let Some(queue) = queue {
            self.0.may_drop.lock().expect("no panic").recv().expect("the test allows the drop");
            drop(queue);
        }
        self.0.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.clock.sleep(duration) // virtual
    }
}

#[tokio::test]
async fn the_writer_thread_may_drop_the_last_handle() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (allow, may_drop) = mpsc::channel();
    let (_ended, ended) = mpsc::channel();
    let may_drop = Mutex::new(may_drop);
    let trap = Trap { clock: VirtualClock::new(), queue: Mutex::default(), may_drop, _ended };
    let clock = Dropping(Arc::new(trap));
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
    *clock.0.queue.lock().expect("no panic") = Some(queue.clone());
    drop(clock);

    let asked = queue.enqueue(work::new(1)).into_future().now_or_never();
    drop(queue);
    allow.send(())?;

    assert!(asked.is_none(), "the writer did not wait in the clock");
    let gone = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected), "the writer did not end");
    assert_eq!(available(&SqliteQueue::open(&path).await?).await?, 1, "the writer did not complete the push");
    Ok(())
}
