//! While a transaction stays open, dead entries of claimed jobs can't be vacuumed, and scans don't step over all of them
//! each time.

use std::time::Duration;

use queue_core::{Demand, JobId, NewJob, Queue as _, QueueError, QueueExt as _};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};

use crate::fixture::{TestResult, number, queue, run, url, work};

const JOBS: i64 = 30_000;
const BATCH: i64 = 20;

/// Claims all jobs, and returns them in the order of their claims.
async fn drain(queue: &PostgresQueue) -> Result<Vec<JobId>, QueueError> {
    let mut order = Vec::new();
    loop {
        let jobs = queue.claim(&Demand::new("default", BATCH as usize).wait(Duration::ZERO)).await?;
        if jobs.is_empty() {
            return Ok(order);
        }
        order.extend(jobs.iter().map(|job| job.lease.job));
    }
}

#[tokio::test]
async fn scans_start_where_the_last_one_ended_while_vacuum_is_blocked() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let mut reader = PgConnection::connect(&url()).await?;
    run(&mut reader, "begin isolation level repeatable read; select 1 from pg_class limit 1").await?;
    let mut pushed = Vec::new();
    for _ in 0..JOBS / 1000 {
        let receipts = queue.push((0..1000).map(|number| NewJob::from(work::new(number))).collect()).await?;
        pushed.extend(receipts.iter().map(|receipt| receipt.id()));
    }

    let order = drain(&queue).await?;

    assert_eq!(order, pushed, "each job once, in order");
    // A job that sorts before the scan start is found, too.
    queue.enqueue(NewJob::from(work::new(0)).priority(-5)).await?;
    assert_eq!(drain(&queue).await?.len(), 1);
    drop(queue);
    // Sessions report their statistics when they end.
    let sessions = format!(
        "select count(*) from pg_stat_activity where query like '%{schema}%' and pid <> pg_backend_pid()"
    );
    while number(&mut connection, sessions.clone()).await? > 0 {}
    run(&mut connection, "select pg_stat_clear_snapshot()").await?;
    let walked = format!(
        "select idx_tup_read from pg_stat_user_indexes where schemaname = '{schema}' and indexrelname = 'ready_pkey'"
    );
    let entries = number(&mut connection, walked).await?;
    assert!(entries >= JOBS, "{entries} entries were read for {JOBS} jobs");
    run(&mut reader, "rollback").await?;
    let without = JOBS / BATCH * JOBS / 2;
    assert!(entries < without / 2, "{entries} entries were read; without scan starts it would be {without}");
    Ok(())
}
