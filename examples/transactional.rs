//! Jobs in the application's own database: pushed with its rows, and completed with their effects, in one commit each.
//!
//! `cargo run --example transactional`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{Admin as _, JobError, Services, State, background_job, jobs};
use queue_sqlite::rusqlite::{Connection, TransactionBehavior};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use queue_tokio::{Host, QueueService};

/// Books an order. Wherever the program crashes, the order is booked exactly once.
#[background_job]
async fn book(#[inject] db: &mut SqliteUnitOfWork, order: i64) -> Result<(), JobError> {
    // Nothing is written before the job has succeeded, so no lock is held while the job runs.
    db.write(move |tx| tx.execute("update orders set booked = booked + 1 where id = ?1", [order]));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = SqliteQueue::open(&path).await?;
    let services = Services::builder().unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end).build()?;
    let host =
        Host::builder().services(services).service(QueueService::new(queue.clone(), jobs![book])).build()?;

    let mut shop = Connection::open(&path)?;
    shop.busy_timeout(Duration::from_secs(5))?;
    shop.execute_batch("create table orders (id integer primary key, item text, booked integer default 0)")?;
    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("insert into orders (item) values ('tea')", [])?;
    let receipt = queue.enqueue_in(&tx, book::new(tx.last_insert_rowid()))?;
    println!("before the commit, the job is {}", state(&queue, receipt.id()).await?);
    tx.commit()?;
    println!("after it, the job is {}", state(&queue, receipt.id()).await?);

    let running = host.start().await?;
    while queue.counts().await?.iter().any(|counts| counts.unfinished() > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await?;
    let booked: i64 = shop.query_row("select booked from orders", [], |row| row.get(0))?;
    println!("the job is {}, and the order is booked {booked} time", state(&queue, receipt.id()).await?);
    Ok(())
}

async fn state(queue: &SqliteQueue, id: queue_core::JobId) -> Result<String, queue_core::QueueError> {
    let job = queue.get(id).await?;
    Ok(job.map_or("not there".to_owned(), |job| State::to_string(&job.state)))
}
