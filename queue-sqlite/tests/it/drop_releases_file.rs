//! When the last handle is gone, so is every connection.

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
async fn a_file_may_be_replaced_once_the_last_handle_is_dropped() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data").join("jobs.db");
    for round in 0..20 {
        fs::create_dir(folder.path().join("data"))?;
        let queue = SqliteQueue::open(&path).await?;
        let clone = queue.clone();
        queue.enqueue(work::new(round)).await?;
        assert_eq!(available(&queue).await?, 1);

        drop(queue);
        assert!(folder.path().join("data").join("jobs.db-wal").exists(), "a clone has it open");
        drop(clone);

        assert!(!folder.path().join("data").join("jobs.db-wal").exists(), "the last connection removes it");
        fs::remove_dir_all(folder.path().join("data"))?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_asked_for_before_is_done() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;

    let asked = queue.enqueue(work::new(1)).into_future().now_or_never();
    drop(queue);

    assert!(asked.is_none(), "nobody waited for the answer");
    assert_eq!(available(&SqliteQueue::open(&path).await?).await?, 1);
    Ok(())
}

/// A clock that drops a queue the next time it's looked at, once it may.
#[derive(Clone)]
struct Dropping(Arc<Trap>);

struct Trap {
    clock: VirtualClock,
    queue: Mutex<Option<SqliteQueue>>,
    may_drop: Mutex<mpsc::Receiver<()>>,
    /// Gone with the last who has the clock.
    _ended: mpsc::Sender<()>,
}

impl Clock for Dropping {
    fn now(&self) -> Timestamp {
        let queue = self.0.queue.lock().expect("no panic").take();
        if let Some(queue) = queue {
            self.0.may_drop.lock().expect("no panic").recv().expect("the test says so");
            drop(queue);
        }
        self.0.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.clock.sleep(duration) // virtual
    }
}

#[tokio::test]
async fn the_last_handle_may_be_dropped_by_a_thread_of_the_queue() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (say, may_drop) = mpsc::channel();
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
    say.send(())?;

    assert!(asked.is_none(), "the writer stands still");
    let gone = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected), "the writer has ended");
    assert_eq!(available(&SqliteQueue::open(&path).await?).await?, 1, "and has done what it was asked for");
    Ok(())
}
