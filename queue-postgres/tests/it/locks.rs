//! Calls skip rows that a concurrent claim or expiry has locked (D6, Q17).

use std::time::Duration;

use queue_core::{Demand, NewJob, Queue as _, QueueExt as _, Receipt};
use tokio::time::timeout;

use crate::fixture::{TestResult, number, queue, run, work};

/// A bound much shorter than any wait for a lock.
const PATIENCE: Duration = Duration::from_secs(20);

/// D6, Q17: a claim skips the jobs that another claim has locked, and takes later ones.
#[tokio::test]
async fn a_claim_skips_jobs_that_another_claim_has_locked() -> TestResult {
    let (queue, mut other, schema) = queue().await?;
    let receipts = queue.enqueue_all((0..2).map(work::new)).await?;
    let taken = format!("begin; select from {schema}.ready order by seq limit 1 for update");
    run(&mut other, taken).await?;
    let demand = Demand::new("default", 9).wait(Duration::ZERO);

    let second = timeout(PATIENCE, queue.claim(&demand)).await??;

    assert_eq!(second.iter().map(queue_core::Delivery::id).collect::<Vec<_>>(), [receipts[1].id()]);
    run(&mut other, "rollback").await?;
    let first = queue.claim(&demand).await?;
    assert_eq!(first.iter().map(queue_core::Delivery::id).collect::<Vec<_>>(), [receipts[0].id()]);
    Ok(())
}

/// Q49: a call that holds a unique key doesn't wait for one that expires leases, which may wait for the key.
#[tokio::test]
async fn a_push_of_a_key_does_not_wait_for_a_concurrent_expiry() -> TestResult {
    let (queue, mut other, schema) = queue().await?;
    let keyed = |key: &str| NewJob::from(work::new(1)).unique(key);
    queue.push(vec![keyed("a")]).await?;
    let lost = queue.claim(&Demand::new("default", 1).lease(Duration::from_millis(1))).await?;
    assert_eq!(lost.len(), 1);
    let expired = format!("select count(*) from {schema}.leases where expires_at <= {schema}.clock()");
    while number(&mut other, expired.clone()).await? == 0 {}
    run(&mut other, format!("begin; select from {schema}.leases for update")).await?;

    let receipts = timeout(PATIENCE, queue.push(vec![keyed("b")])).await??;

    assert!(matches!(receipts[..], [Receipt::Stored(_)]), "{receipts:?}");
    run(&mut other, "rollback").await?;
    Ok(())
}
