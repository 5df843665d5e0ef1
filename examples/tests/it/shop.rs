//! The unfinished work of an earlier run is continued, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use queue_core::BoxError;
use queue_tokio::MemoryQueue;
use stock::catalog;
use stock::database::Database;
use stock::product::ProductForm;
use stock::queues::Queues;
use stock::shop::Shop;

#[tokio::test]
async fn products_with_unfinished_work_are_enqueued_until_it_is_done() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(folder.path().join("stock.db"))?;
    let form = ProductForm { sku: "TEA".to_owned(), name: "Tea".to_owned(), price_cents: 1, stock: 2 };
    let product = form.check()?;
    database.run(move |connection| catalog::add(connection, &product)).await?;
    // The queue of the earlier run is lost with its jobs.
    let queues = Queues::over(Arc::new(MemoryQueue::new()));
    let shop = Shop { database: database.clone(), queues, photo_time: Duration::ZERO };

    let behind = shop.catch_up().await?;
    database.run(|connection| catalog::note_mail(connection, "TEA", "<1@example>")).await?;
    database.run(|connection| catalog::note_supplier(connection, "TEA", "tea")).await?;
    database.run(|connection| catalog::note_report(connection, 1)).await?;
    let behind_then = shop.catch_up().await?;

    assert_eq!((behind, behind_then), (1, 0));
    let unfinished: u64 = shop.queues.counts().await?.iter().map(|queue| queue.unfinished()).sum();
    assert_eq!(unfinished, 4, "an e-mail, a sync and a report for the product, and one for the catalogue");
    Ok(())
}
