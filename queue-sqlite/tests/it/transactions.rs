//! Pushes in the application's own transaction (D11).

use std::time::Duration;

use queue_core::{
    Admin as _, Demand, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Receipt, background_job,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::{Connection, TransactionBehavior};
use queue_testkit::VirtualClock;

use crate::fixture::TestResult;

#[background_job]
async fn send_invoice(order: i64) {
    let _: i64 = order;
}

struct Shop {
    queue: SqliteQueue,
    connection: Connection,
    _folder: tempfile::TempDir,
}

async fn shop(poll_interval: Duration) -> Result<Shop, Box<dyn std::error::Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = SqliteQueue::builder(&path).poll_interval(poll_interval).open().await?;
    let connection = Connection::open(&path)?;
    connection.execute_batch("create table orders (id integer primary key, item text)")?;
    Ok(Shop { queue, connection, _folder: folder })
}

const LONG: Duration = Duration::from_secs(3600);

/// D11: The commit wakes a waiting claim, although its poll interval is an hour.
#[tokio::test]
async fn a_job_appears_and_wakes_a_claim_when_its_transaction_commits() -> TestResult {
    let mut shop = shop(LONG).await?;
    let claimer = tokio::spawn({
        let queue = shop.queue.clone();
        async move { queue.claim(&Demand::new("default", 1)).await }
    });
    let tx = shop.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("insert into orders (item) values ('tea')", [])?;
    let receipt = shop.queue.enqueue_in(&tx, send_invoice::new(tx.last_insert_rowid()))?;
    assert!(matches!(receipt, Receipt::Stored(_)));
    assert!(shop.queue.get(receipt.id()).await?.is_none(), "the job was visible before the commit");

    tx.commit()?;
    shop.queue.poll_now().await;

    let deliveries = claimer.await??;
    assert_eq!(deliveries.first().map(queue_core::Delivery::id), Some(receipt.id()));
    Ok(())
}

/// D11
#[tokio::test]
async fn a_commit_soon_after_the_push_wakes_a_claim_by_itself() -> TestResult {
    let mut shop = shop(LONG).await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(shop.queue.claim(&demand));
    // The claim waits from here on.
    assert!(futures_util::poll!(&mut claim).is_pending());
    shop.queue.poll_now().await;
    let tx = shop.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    shop.queue.enqueue_in(&tx, send_invoice::new(1))?;

    tx.commit()?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}

/// D11
#[tokio::test]
async fn a_job_of_a_rolled_back_transaction_does_not_exist() -> TestResult {
    let mut shop = shop(LONG).await?;
    let tx = shop.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let receipt = shop.queue.enqueue_in(&tx, in_a_new_queue(1))?;

    tx.rollback()?;
    shop.queue.poll_now().await;

    assert!(shop.queue.get(receipt.id()).await?.is_none());
    let demand = Demand::new("invoices", 1).wait(Duration::ZERO);
    assert_eq!(shop.queue.claim(&demand).await?.len(), 0);
    // The rollback removed the id of the queue too. The next push inserts it again.
    shop.queue.push(vec![in_a_new_queue(2)]).await?;
    assert_eq!(shop.queue.claim(&demand).await?.len(), 1);
    Ok(())
}

/// Returns a job in a queue that was never used, so that its transaction inserts the queue too.
fn in_a_new_queue(order: i64) -> queue_core::NewJob {
    queue_core::NewJob::from(send_invoice::new(order)).queue("invoices")
}

#[tokio::test]
async fn a_connection_without_a_transaction_is_refused() -> TestResult {
    let shop = shop(LONG).await?;

    let error =
        shop.queue.enqueue_in(&shop.connection, send_invoice::new(1)).expect_err("the job was stored");

    assert_eq!(error.kind(), QueueErrorKind::Invalid);
    assert!(error.to_string().contains("no transaction is open"), "{error}");
    Ok(())
}

/// D11, Q29: A lease that expired on the last attempt holds no key, even before the writer has recorded that.
#[tokio::test]
async fn a_transaction_may_take_a_key_after_the_lease_of_its_owner_expired() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).poll_interval(LONG).open().await?;
    let keyed = |order| queue_core::NewJob::from(send_invoice::new(order)).unique("order").max_attempts(1);
    queue.push(vec![keyed(1)]).await?;
    let lost = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    clock.advance(lost.lease.length);
    let mut connection = Connection::open(&path)?;

    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let receipt = queue.enqueue_in(&tx, keyed(2))?;
    tx.commit()?;

    assert!(matches!(receipt, Receipt::Stored(id) if id != lost.id()), "{receipt:?}");
    Ok(())
}

/// Counts in the job's meta how often a hook has seen the job.
fn count(job: &mut NewJob) {
    let seen: u32 = job.meta.get("seen").map_or(0, |seen| seen.parse().expect("a number"));
    job.meta.insert("seen", (seen + 1).to_string());
}

/// H82: a function of `on_push` sees each job once, in a push and in the application's own transaction.
#[tokio::test]
async fn a_hook_sees_the_jobs_of_pushes_and_of_transactions() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = SqliteQueue::builder(&path).on_push(count).open().await?;
    let mut connection = Connection::open(&path)?;

    queue.enqueue(send_invoice::new(1)).await?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    queue.enqueue_in(&tx, send_invoice::new(2))?;
    tx.commit()?;

    let deliveries = queue.claim(&Demand::new("default", 9)).await?;
    let seen: Vec<_> = deliveries.iter().map(|delivery| delivery.meta.get("seen")).collect();
    assert_eq!(seen, [Some("1"); 2]);
    Ok(())
}
