//! A kit over PostgreSQL meets the transactions of others (T25).

use std::time::Duration;

use queue_core::{QueueExt as _, jobs};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_testkit::{KitError, TestKit, VirtualClock};

use crate::fixture::{TestResult, run, schema, url, work};

/// T25: a job that an open transaction has locked ends the run with an error, and runs once the transaction has ended.
#[tokio::test]
async fn a_job_that_an_open_transaction_locks_is_named() -> TestResult {
    let schema = schema();
    let queue =
        PostgresQueue::builder(url()).schema(&schema).test_clock(VirtualClock::START).connect().await?;
    let kit = TestKit::over(queue.clone()).jobs(jobs![work]).patience(Duration::from_millis(300)).build()?;
    queue.enqueue(work::new(1)).await?;
    let mut connection = PgConnection::connect(&url()).await?;
    run(&mut connection, format!("begin; select from {schema}.ready for update")).await?;

    let error = kit.run_until_idle().await.expect_err("the job is locked");

    assert!(matches!(error, KitError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("waiting: work (available, attempt 0)"), "{error}");
    run(&mut connection, "rollback").await?;
    kit.run_until_idle().await?.expect_success();
    kit.assert_completed(&work::new(1));
    Ok(())
}
