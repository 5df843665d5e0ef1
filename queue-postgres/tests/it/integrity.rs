//! `check_integrity` reports each broken rule of the tables, and nothing in tables that only the queue has changed.

use std::time::Duration;

use queue_core::{BoxError, Demand, NewJob, Queue as _, QueueExt as _, Settlement, Transition};
use queue_postgres::sqlx::{self, AssertSqlSafe, PgConnection};

use crate::fixture::{TestResult, queue, run, work};

async fn broken_rules(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, BoxError> {
    let check = format!("select distinct rule from {schema}.check_integrity() order by 1");
    Ok(sqlx::query_scalar(AssertSqlSafe(check)).fetch_all(connection).await?)
}

#[tokio::test]
async fn each_broken_rule_is_reported() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    for number in 0..3 {
        queue.enqueue(work::new(number)).unique(format!("key {number}")).await?;
    }
    queue.enqueue(work::new(4)).delay(Duration::from_secs(3600)).await?;
    let jobs = queue.claim(&Demand::new("default", 2)).await?;
    let error = || Transition::Discard { error: "no".into() };
    let discards = jobs.into_iter().take(1).map(|job| Settlement::new(job.lease, error()));
    queue.settle(discards.collect()).await?;
    for _ in 0..2 {
        let acme = || NewJob::from(work::new(5)).queue("shared").partition("acme");
        queue.push(vec![acme(), acme()]).await?;
        queue.claim(&Demand::new("shared", 1)).await?;
    }
    queue.push(vec![NewJob::from(work::new(6)).queue("shared").partition("acme")]).await?;
    run(&mut connection, format!("set search_path = {schema}")).await?;
    assert!(broken_rules(&mut connection, &schema).await?.is_empty());
    let table = [
        ("delete from ready", "a job has exactly one row in ready, waiting, leases and finished"),
        ("update waiting set seq = 99", "a row in ready, waiting, leases or finished belongs to a job"),
        ("delete from jobs where seq = 1", "a unique key whose time is over belongs to a job"),
        ("update failures set seq = 99", "a failure belongs to a job"),
        ("insert into results values (99, '1')", "a result belongs to a completed job"),
        ("update finished set attempt = fence + 1", "a job has at most as many attempts as claims"),
        ("update queues set is_shared = false", "a job that names a partition is in a shared queue"),
        ("update shares set lease_turn = 99", "no lease of a partition has a lower turn than its queue says"),
        ("update partitions set ready = 7", "a partition counts its ready jobs"),
        ("update partition_changes set ready = 7", "a partition counts its ready jobs"),
    ];

    for (change, rule) in table {
        run(&mut connection, format!("begin; {change}")).await?;
        let broken = broken_rules(&mut connection, &schema).await?;
        run(&mut connection, "rollback").await?;

        assert!(broken.iter().any(|broken| broken == rule), "`{change}` breaks {broken:?}");
    }
    Ok(())
}
