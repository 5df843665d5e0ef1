//! A transaction that fails, or a stream of transactions, harms no other caller of the writer (Q19, D4).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::poll;
use queue_core::admin::UsageRequest;
use queue_core::services::{Factory as _, Scope};
use queue_core::{
    Admin as _, AttemptRunner, BoxError, Demand, Environment, NewJob, OutcomeKind, Queue as _, QueueExt as _,
    Services, jobs,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{NoThreads, TestResult, work};

fn receipt() -> NewJob {
    NewJob::from(work::new(1)).queue("receipts").partition("acme")
}

/// A queue in a file that has a constraint which SQLite checks at the commit.
struct Bank {
    queue: SqliteQueue,
    _folder: tempfile::TempDir,
}

impl Bank {
    async fn open() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bank.db");
        let queue = SqliteQueue::open(&path).await?;
        Connection::open(&path)?.execute_batch(
            "create table parents (id integer primary key);
            create table children (parent integer references parents (id) deferrable initially deferred)",
        )?;
        Ok(Self { queue, _folder: folder })
    }

    /// Settles a job whose followup is a receipt, with a commit that fails.
    async fn fail_to_commit(&self) -> TestResult {
        self.queue.enqueue(work::new(1)).await?;
        let delivery = self.queue.claim(&Demand::new("default", 1)).await?.remove(0);
        let clock = Arc::new(VirtualClock::new());
        let environment = Environment { clock, blocking: Arc::new(NoThreads), observer: None, service: None };
        let queue = Arc::new(self.queue.clone());
        let context = AttemptRunner::new(jobs![], Services::none(), queue, &[], environment)
            .attempt(delivery)
            .context()
            .clone();
        context.then(receipt());
        let scope = Scope::open(context, Services::none());
        let mut unit = self.queue.unit_of_work().make(&scope).await?;
        unit.write(|tx| tx.execute("insert into children values (99)", []));

        let ended = unit.end(OutcomeKind::Success).await;

        assert!(ended.is_err(), "a child without a parent was committed");
        Ok(())
    }
}

/// D4, D12: A queue whose first job was rolled back works like a queue that was never used.
#[tokio::test]
async fn a_queue_whose_first_job_was_rolled_back_can_be_used() -> TestResult {
    let bank = Bank::open().await?;
    bank.fail_to_commit().await?;

    bank.queue.push(vec![receipt()]).await?;

    let claimed = bank.queue.claim(&Demand::new("receipts", 9).wait(Duration::ZERO)).await?;
    assert_eq!(claimed.len(), 1);
    Ok(())
}

/// Q123: The counts of partitions are those of the file, not of a transaction that was rolled back.
#[tokio::test]
async fn a_commit_that_fails_leaves_no_count_of_a_partition() -> TestResult {
    let bank = Bank::open().await?;
    bank.queue.push(vec![receipt()]).await?;
    bank.fail_to_commit().await?;

    bank.queue.push(vec![receipt()]).await?;

    let usage = bank.queue.usage(&UsageRequest::of("receipts")).await?;
    assert_eq!(usage.total.ready, 2);
    assert_eq!(bank.queue.diagnose().await?, []);
    Ok(())
}

/// Q19: A wait ends at its deadline, even while calls keep the writer busy.
#[tokio::test]
async fn a_wait_ends_while_calls_keep_coming() -> TestResult {
    const BATCH: u32 = 10_000;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let builder = SqliteQueue::builder(&path).clock(clock.clone());
    let queue = builder.busy_timeout(Duration::from_secs(600)).open().await?;
    let demand = Demand::new("elsewhere", 1).wait(Duration::from_secs(1));
    let mut claim = pin!(queue.claim(&demand));
    assert!(poll!(claim.as_mut()).is_pending());
    queue.poll_now().await;
    // Each push fills a transaction. The lock keeps the first one from its commit until all are sent and the wait has ended.
    let other = Connection::open(&path)?;
    other.execute_batch("begin immediate")?;
    let mut pushes: Vec<_> =
        (0..6).map(|_| queue.push((0..BATCH).map(|n| work::new(n).into()).collect())).collect();
    for push in &mut pushes {
        assert!(poll!(push.as_mut()).is_pending());
    }
    clock.advance(Duration::from_secs(1));

    other.execute_batch("commit")?;
    let last = pushes.pop().ok_or("six pushes")?;
    match select(claim, last).await {
        Either::Left((claimed, _)) => assert_eq!(claimed?.len(), 0),
        Either::Right(_) => panic!("the wait lasted until the writer was idle"),
    }
    Ok(())
}
