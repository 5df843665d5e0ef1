//! Jobs pushed in the application's own transaction (D11).

use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, Demand, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Receipt, background_job,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, Connection as _, PgPool, Postgres, Transaction};

use crate::fixture::{NEVER, TestResult, schema, url};

#[background_job]
async fn send_invoice(order: i64) {
    let _: i64 = order;
}

struct Shop {
    queue: PostgresQueue,
    pool: PgPool,
}

/// A shop that claims jobs only after a notification.
async fn shop() -> Result<Shop, BoxError> {
    let pool = PgPool::connect(&url()).await?;
    let queue = PostgresQueue::builder(pool.clone()).schema(schema()).poll_interval(NEVER).connect().await?;
    Ok(Shop { queue, pool })
}

/// D11: workers wake at the commit, and see nothing before.
#[tokio::test]
async fn a_job_appears_and_wakes_a_worker_when_the_transaction_commits() -> TestResult {
    let shop = shop().await?;
    let claimer = tokio::spawn({
        let queue = shop.queue.clone();
        async move { queue.claim(&Demand::new("default", 1)).await }
    });
    let mut tx = shop.pool.begin().await?;
    let order: i32 = sqlx::query_scalar("select 42").fetch_one(&mut *tx).await?;
    let receipt = shop.queue.enqueue_in(&mut tx, send_invoice::new(order.into())).await?;
    assert!(matches!(receipt, Receipt::Stored(_)));
    shop.queue.poll_now().await;
    assert!(shop.queue.get(receipt.id()).await?.is_none(), "it is seen before the commit");

    tx.commit().await?;

    let deliveries = tokio::time::timeout(Duration::from_secs(30), claimer).await???;
    assert_eq!(deliveries.first().map(queue_core::Delivery::id), Some(receipt.id()));
    Ok(())
}

/// D11: every type with an open transaction is accepted, and can be used again afterwards.
#[tokio::test]
async fn every_form_of_an_open_transaction_is_taken() -> TestResult {
    let shop = shop().await?;
    let queue = &shop.queue;
    let mut tx = shop.pool.begin().await?;
    queue.enqueue_in(&mut tx, send_invoice::new(1)).await?;
    queue.enqueue_in(&mut *tx, send_invoice::new(2)).await?;
    in_a_function(queue, &mut tx).await?;
    queue.push_in(&mut tx, vec![send_invoice::new(6).into()]).await?;
    tx.commit().await?;
    let mut pooled = shop.pool.acquire().await?;
    let mut tx = pooled.begin().await?;
    queue.enqueue_in(&mut tx, send_invoice::new(7)).await?;
    tx.commit().await?;

    let claimed = queue.claim(&Demand::new("default", 10)).await?;

    assert_eq!(claimed.len(), 7);
    Ok(())
}

async fn in_a_function(queue: &PostgresQueue, mut tx: &mut Transaction<'_, Postgres>) -> TestResult {
    queue.enqueue_in(&mut **tx, send_invoice::new(3)).await?;
    queue.enqueue_in(&mut tx, send_invoice::new(4)).await?;
    queue.enqueue_in(tx, send_invoice::new(5)).await?;
    Ok(())
}

/// D11
#[tokio::test]
async fn a_job_is_gone_with_its_transaction() -> TestResult {
    let shop = shop().await?;
    let mut tx = shop.pool.begin().await?;
    let receipt = shop.queue.enqueue_in(&mut tx, in_a_new_queue(1)).await?;

    tx.rollback().await?;
    shop.queue.poll_now().await;

    assert!(shop.queue.get(receipt.id()).await?.is_none());
    let demand = Demand::new("invoices", 1).wait(Duration::ZERO);
    assert_eq!(shop.queue.claim(&demand).await?.len(), 0);
    shop.queue.push(vec![in_a_new_queue(2)]).await?;
    assert_eq!(shop.queue.claim(&demand).await?.len(), 1);
    Ok(())
}

/// D11: an open transaction that was the first to name a queue prevents no other push to that queue.
#[tokio::test]
async fn an_open_transaction_holds_up_no_other_push() -> TestResult {
    let shop = shop().await?;
    let mut tx = shop.pool.begin().await?;
    shop.queue.enqueue_in(&mut tx, in_a_new_queue(1)).await?;

    let others = shop.queue.push(vec![in_a_new_queue(2)]);

    assert_eq!(tokio::time::timeout(Duration::from_secs(20), others).await??.len(), 1);
    tx.commit().await?;
    assert_eq!(shop.queue.claim(&Demand::new("invoices", 5)).await?.len(), 2);
    Ok(())
}

/// D11: a key that is pushed in an open transaction is decided on by that.
#[tokio::test]
async fn a_push_of_the_same_key_waits_for_the_transaction() -> TestResult {
    let shop = shop().await?;
    for is_committed in [true, false] {
        let keyed =
            |order| queue_core::NewJob::from(send_invoice::new(order)).unique(format!("{is_committed}"));
        let mut tx = shop.pool.begin().await?;
        let first = shop.queue.enqueue_in(&mut tx, keyed(1)).await?;
        let mut second = Box::pin(shop.queue.push(vec![keyed(2)]));
        assert!(futures_util::poll!(&mut second).is_pending());
        shop.queue.get(first.id()).await?;

        if is_committed {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }

        let second = second.await?.remove(0);
        assert_eq!(second == Receipt::Existing(first.id()), is_committed, "{second:?}");
    }
    Ok(())
}

/// Returns a job in a queue that was never used before.
fn in_a_new_queue(order: i64) -> queue_core::NewJob {
    queue_core::NewJob::from(send_invoice::new(order)).queue("invoices")
}

#[tokio::test]
async fn a_connection_without_a_transaction_is_refused() -> TestResult {
    let shop = shop().await?;
    let mut connection = shop.pool.acquire().await?;

    let refused = shop.queue.enqueue_in(&mut connection, send_invoice::new(1)).await;

    let error = refused.expect_err("it was stored");
    assert_eq!(error.kind(), QueueErrorKind::Invalid);
    assert!(error.to_string().contains("no transaction was begun"), "{error}");
    Ok(())
}

/// A job is checked before the transaction receives a statement.
#[tokio::test]
async fn a_refused_job_leaves_the_transaction_as_it_was() -> TestResult {
    let shop = shop().await?;
    let mut tx = shop.pool.begin().await?;
    let wrong = [
        (queue_core::NewJob::from(send_invoice::new(1)).queue("no queue"), "`queue` has ' ' in it"),
        (queue_core::NewJob::from(send_invoice::new(1)).delay(Duration::MAX), "leads past the end of time"),
        (queue_core::NewJob::from(send_invoice::new(1)).unique("a\0b"), "a NUL character"),
    ];
    for (job, why) in wrong {
        let error = shop.queue.enqueue_in(&mut tx, job).await.expect_err("it was stored");
        assert_eq!(error.kind(), QueueErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }

    let receipt = shop.queue.enqueue_in(&mut tx, send_invoice::new(2)).await?;
    tx.commit().await?;

    assert!(shop.queue.get(receipt.id()).await?.is_some());
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
    let pool = PgPool::connect(&url()).await?;
    let queue = PostgresQueue::builder(pool.clone()).schema(schema()).on_push(count).connect().await?;

    queue.enqueue(send_invoice::new(1)).await?;
    let mut tx = pool.begin().await?;
    queue.enqueue_in(&mut tx, send_invoice::new(2)).await?;
    tx.commit().await?;

    let deliveries = queue.claim(&Demand::new("default", 9)).await?;
    let seen: Vec<_> = deliveries.iter().map(|delivery| delivery.meta.get("seen")).collect();
    assert_eq!(seen, [Some("1"); 2]);
    Ok(())
}
