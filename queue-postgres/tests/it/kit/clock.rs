//! The clock that a test moves is the schema's.

use std::time::Duration;

use queue_core::{Admin as _, Demand, Queue as _, QueueErrorKind, QueueExt as _};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, number, queue as queue_by_the_server, run, schema, url, work};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_test_clock_stands_still_until_it_is_moved_and_all_handles_see_it() -> TestResult {
    let schema = schema();
    let open = || PostgresQueue::builder(url()).schema(&schema).test_clock(VirtualClock::START).connect();
    let queue = open().await?;
    let clock = queue.test_clock().ok_or("no clock")?;
    let id = queue.enqueue(work::new(1)).delay(HOUR).await?.id();

    clock.advance_to(VirtualClock::START.saturating_add(HOUR)).await?;

    let other = open().await?;
    let moved = other.test_clock().ok_or("no clock")?.now().await?;
    assert_eq!(moved.since(VirtualClock::START), HOUR, "the second handle keeps the time");
    let claimed = other.claim(&Demand::new("default", 1).wait(Duration::ZERO)).await?;
    assert_eq!(claimed.first().map(|job| job.id()), Some(id));
    clock.advance_to(VirtualClock::START).await?;
    assert_eq!(clock.now().await?, moved, "an instant in the past changes nothing");
    Ok(())
}

/// A migration replaces all functions of the schema.
#[tokio::test]
async fn a_migration_does_not_leave_a_clock_that_nothing_reads() -> TestResult {
    let (schema, mut connection) = (schema(), PgConnection::connect(&url()).await?);
    let open = || PostgresQueue::builder(url()).schema(&schema).test_clock(VirtualClock::START).connect();
    open().await?;
    let now = format!("select {schema}.clock()");
    run(
        &mut connection,
        format!(
            "create or replace function {schema}.clock() returns bigint language sql as 'select 1::bigint'"
        ),
    )
    .await?;
    assert_eq!(number(&mut connection, now.clone()).await?, 1);

    open().await?;

    assert_eq!(number(&mut connection, now).await?, VirtualClock::START.as_micros());
    Ok(())
}

#[tokio::test]
async fn a_claim_that_waits_gets_the_job_that_becomes_due_when_the_clock_moves() -> TestResult {
    let queue = super::queue().await;
    queue.enqueue(work::new(1)).delay(HOUR).await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    queue.poll_now().await;

    let clock = queue.test_clock().ok_or("no clock")?;
    clock.advance_to(VirtualClock::START.saturating_add(HOUR)).await?;

    assert_eq!(claim.await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_schema_that_holds_jobs_by_the_servers_clock_gets_no_other_clock() -> TestResult {
    let (queue, mut connection, schema) = queue_by_the_server().await?;
    assert!(queue.test_clock().is_none());
    queue.enqueue(work::new(1)).await?;

    let refused =
        PostgresQueue::builder(url()).schema(&schema).test_clock(VirtualClock::START).connect().await;

    let error = refused.expect_err("the clock of a job was replaced");
    assert_eq!(error.kind(), QueueErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("open a schema of the test's own"), "{error}");
    run(&mut connection, format!("delete from {schema}.ready; delete from {schema}.jobs")).await?;
    let exists =
        format!("select count(*) from pg_tables where schemaname = '{schema}' and tablename = 'test_clock'");
    assert_eq!(number(&mut connection, exists).await?, 0);
    Ok(())
}
