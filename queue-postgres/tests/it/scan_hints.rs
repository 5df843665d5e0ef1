//! While a transaction stays open, dead entries of claimed jobs can't be vacuumed, and scans don't step over all of them
//! each time.

use std::collections::VecDeque;
use std::time::Duration;

use queue_core::{
    BoxError, Demand, JobId, Limit, NewJob, Queue as _, QueueError, QueueExt as _, QueueLimits, Settlement,
    Transition,
};
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

/// Opens a transaction that keeps vacuum from removing dead rows.
async fn open_transaction() -> Result<PgConnection, BoxError> {
    let mut reader = PgConnection::connect(&url()).await?;
    run(&mut reader, "begin isolation level repeatable read; select 1 from pg_class limit 1").await?;
    Ok(reader)
}

/// Returns how many entries of an index the queue's sessions have read, when all of them have ended: they report it then.
async fn entries_read(connection: &mut PgConnection, schema: &str, index: &str) -> Result<i64, BoxError> {
    let sessions = format!(
        "select count(*) from pg_stat_activity where query like '%{schema}%' and pid <> pg_backend_pid()"
    );
    while number(connection, &sessions).await? > 0 {}
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let read = format!(
        "select idx_tup_read from pg_stat_user_indexes where schemaname = '{schema}' and indexrelname = '{index}'"
    );
    number(connection, read).await
}

#[tokio::test]
async fn scans_start_where_the_last_one_ended_while_vacuum_is_blocked() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let mut reader = open_transaction().await?;
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
    let entries = entries_read(&mut connection, &schema, "ready_pkey").await?;
    assert!(entries >= JOBS, "{entries} entries were read for {JOBS} jobs");
    run(&mut reader, "rollback").await?;
    let without = JOBS / BATCH * JOBS / 2;
    assert!(entries < without / 2, "{entries} entries were read; without scan starts it would be {without}");
    Ok(())
}

/// Each partition that a claim serves leaves a dead entry behind in the order of the partitions.
#[tokio::test]
async fn claims_of_partitions_do_not_walk_over_all_dead_entries() -> TestResult {
    const PARTITIONS: u32 = 8;
    const CLAIMS: i64 = 300;
    let (queue, mut connection, schema) = queue().await?;
    let job = |number: u32| NewJob::from(work::new(number)).partition(format!("p{}", number % PARTITIONS));
    queue.push((0..PARTITIONS * 200).map(job).collect()).await?;
    let mut reader = open_transaction().await?;
    let demand = |jobs| Demand::new("default", jobs);
    let mut running: VecDeque<_> = queue.claim(&demand(16)).await?.into();

    for _ in 0..CLAIMS {
        // Each partition has running jobs, so none is served before the others for having none.
        let jobs = queue.claim(&demand(4)).await?;
        assert_eq!(jobs.len(), 4);
        running.extend(jobs);
        let complete = |job: queue_core::Delivery| Settlement::new(job.lease, Transition::complete());
        queue.settle(running.drain(..4).map(complete).collect()).await?;
    }

    drop(queue);
    let entries = entries_read(&mut connection, &schema, "partitions_open").await?;
    run(&mut reader, "rollback").await?;
    assert!((CLAIMS..CLAIMS * 600).contains(&entries), "{entries} entries were read by {CLAIMS} claims");
    Ok(())
}

/// Each push of a job of a partition leaves a dead entry behind in the changes that claims add to the partitions.
#[tokio::test]
async fn claims_do_not_walk_over_the_changes_of_earlier_pushes() -> TestResult {
    const PARTITIONS: u32 = 4;
    const CLAIMS: i64 = 300;
    let (queue, mut connection, schema) = queue().await?;
    let mut reader = open_transaction().await?;
    let jobs =
        || (0..PARTITIONS).map(|number| NewJob::from(work::new(number)).partition(format!("p{number}")));

    for _ in 0..CLAIMS {
        queue.push(jobs().collect()).await?;
        let jobs = queue.claim(&Demand::new("default", 10).wait(Duration::ZERO)).await?;
        assert_eq!(jobs.len(), PARTITIONS as usize);
    }

    drop(queue);
    let entries = entries_read(&mut connection, &schema, "partition_changes_order").await?;
    run(&mut reader, "rollback").await?;
    let changes = CLAIMS * i64::from(PARTITIONS);
    assert!((changes..changes * 20).contains(&entries), "{entries} entries were read for {changes} changes");
    Ok(())
}

/// Each job that is taken from a partition leaves dead entries behind, those of the ready job and of its lease.
#[tokio::test]
async fn claims_do_not_walk_over_the_jobs_that_were_taken_from_a_partition() -> TestResult {
    const CLAIMS: u32 = 200;
    // Each number of partitions is served by a statement of its own.
    for partitions in [1, 2, 40] {
        let (queue, mut connection, schema) = queue().await?;
        queue.declare_limits(&"default".into(), &QueueLimits::each(Limit::running(99))).await?;
        let job =
            |number: u32| NewJob::from(work::new(number)).partition(format!("p{}", number % partitions));
        queue.push((0..CLAIMS * 20).map(job).collect()).await?;
        let mut reader = open_transaction().await?;

        for _ in 0..CLAIMS {
            let jobs = queue.claim(&Demand::new("default", 20)).await?;
            assert_eq!(jobs.len(), 20);
            let complete = |job: queue_core::Delivery| Settlement::new(job.lease, Transition::complete());
            queue.settle(jobs.into_iter().map(complete).collect()).await?;
        }

        drop(queue);
        let jobs = i64::from(CLAIMS * 20);
        let ready = entries_read(&mut connection, &schema, "ready_pkey").await?;
        assert!(
            (jobs..jobs * 10).contains(&ready),
            "{ready} ready jobs were read of {jobs} in {partitions} partitions"
        );
        let by_turn = entries_read(&mut connection, &schema, "leases_by_turn").await?;
        let by_partition = entries_read(&mut connection, &schema, "leases_by_partition").await?;
        let leases = by_turn + by_partition;
        assert!(
            (1..jobs * 10).contains(&leases),
            "{leases} leases were read of {jobs} jobs in {partitions} partitions"
        );
        run(&mut reader, "rollback").await?;
    }
    Ok(())
}
