//! A busy queue vacuums its small tables itself.

use queue_core::{BoxError, Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, number, run, work};
use crate::logs;

/// Runs jobs through the queue without a worker.
async fn complete(queue: &PostgresQueue, jobs: u32) -> TestResult {
    for first in (0..jobs).step_by(1_000) {
        queue.enqueue_all((first..first + 1_000).map(work::new)).await?;
        let jobs = queue.claim(&Demand::new("default", 1_000)).await?;
        let settle = jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        queue.settle(settle.collect()).await?;
    }
    Ok(())
}

/// Autovacuum is off on this server, so only the queue can have vacuumed.
async fn vacuums(server: &mut PgConnection, table: &str) -> Result<i64, BoxError> {
    let vacuums = "select coalesce(sum(vacuum_count), 0)::bigint from pg_stat_user_tables where relname =";
    number(server, format!("{vacuums} '{table}'")).await
}

#[tokio::test]
async fn a_busy_queue_vacuums_the_tables_that_it_fills_and_empties() -> TestResult {
    let server = Postgres::start(Durability::Process, &["autovacuum=off"])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;

    complete(&queue, 99_000).await?;
    assert_eq!(vacuums(&mut connection, "ready").await?, 0, "there is little to remove yet");
    complete(&queue, 1_000).await?;

    for table in ["ready", "waiting", "leases"] {
        while vacuums(&mut connection, table).await? == 0 {}
    }
    assert_eq!(vacuums(&mut connection, "jobs").await?, 0, "autovacuum does that");
    Ok(())
}

/// PostgreSQL would log a warning for each table.
#[tokio::test]
async fn a_user_who_may_not_vacuum_does_not_try() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &["autovacuum=off"])?;
    PostgresQueue::builder(server.url("postgres")).migrate().await?;
    let mut owner = PgConnection::connect(&server.url("postgres")).await?;
    run(&mut owner, "create role app login").await?;
    run(&mut owner, include_str!("../../migrations/grants.sql").replace("app_user", "app")).await?;
    let queue = PostgresQueue::connect(server.url_of("app", "postgres")).await?;

    complete(&queue, 100_000).await?;

    let folder = server.socket_folder().display().to_string();
    while logs::count(&["the user does not own the tables", &folder]) == 0 {}
    assert_eq!(vacuums(&mut owner, "ready").await?, 0);
    Ok(())
}
