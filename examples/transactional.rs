//! Jobs in the application's own database: pushed with its rows, and completed with their effects, in one commit each.
//!
//! `cargo run --example transactional`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use queue_core::{Admin as _, BoxError, OutcomeKind, Services, background_job, jobs};
use queue_sqlite::rusqlite::{Connection, TransactionBehavior};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use queue_tokio::{Host, QueueService};
use tokio::sync::Notify;

/// Books an order. Wherever the program crashes, the order is booked exactly once.
#[background_job]
async fn book_order(#[inject] db: &mut SqliteUnitOfWork, order: i64) {
    // Nothing is written before the job has succeeded, so no lock is held while the job runs.
    db.write(move |tx| tx.execute("update orders set booked = booked + 1 where id = ?1", [order]));
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = SqliteQueue::open(&path).await?;
    let mut shop = Connection::open(&path)?;
    shop.execute_batch("create table orders (id integer primary key, item text, booked integer default 0)")?;

    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("insert into orders (item) values ('tea')", [])?;
    let job = queue.enqueue_in(&tx, book_order::new(tx.last_insert_rowid()))?.id();
    println!("before the commit: {:?}", queue.get(job).await?.map(|job| job.state));
    tx.commit()?;
    println!("after the commit: {:?}", queue.get(job).await?.map(|job| job.state));

    let booked = Arc::new(Notify::new());
    let books = booked.clone();
    let end = move |db: SqliteUnitOfWork, outcome: OutcomeKind| {
        let books = books.clone();
        async move { db.end(outcome).await.inspect(|()| books.notify_one()) }
    };
    let services = Services::builder().unit_of_work(queue.unit_of_work(), end).build()?;
    let service = QueueService::new(queue.clone(), jobs![book_order]);
    Host::builder().services(services).service(service).build()?.run_until(booked.notified()).await?;
    let booked: i64 = shop.query_row("select booked from orders", [], |row| row.get(0))?;
    println!(
        "the order is booked {booked} time, and its job: {:?}",
        queue.get(job).await?.map(|job| job.state)
    );
    Ok(())
}
