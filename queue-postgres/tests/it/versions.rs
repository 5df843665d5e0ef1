//! Two versions of the program, and of the schema, at one time, as during a rolling deploy (D29).

mod programs;

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{
    Admin as _, BoxError, Demand, Heartbeat, Queue as _, QueueErrorKind, QueueExt as _, Settlement, State,
    Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, AssertSqlSafe, PgConnection};

use crate::fixture::{TestResult, number, queue, run, url, work};

/// Functions of the schema that a running program calls.
const FUNCTIONS: [&str; 5] = ["push", "claim", "settle", "renew", "cancel"];

/// Brings a schema to the next version by additive changes: a column with a default, and an argument with a default.
async fn migrate_additively(connection: &mut PgConnection, schema: &str) -> TestResult {
    let newest =
        number(connection, format!("select max(version)::bigint from {schema}.schema_migrations")).await?;
    let mut steps = vec!["begin".to_owned()];
    steps.push(format!("alter table {schema}.jobs add column tenant text default 'none'"));
    for function in FUNCTIONS {
        let found = format!(
            "select oid::regprocedure::text, pg_get_functiondef(oid) from pg_proc
            where pronamespace = '{schema}'::regnamespace and proname = '{function}'"
        );
        let (name, text): (String, String) =
            sqlx::query_as(AssertSqlSafe(found)).fetch_one(&mut *connection).await?;
        let newer = text.replacen(")\n RETURNS", ", _new integer default 0)\n RETURNS", 1);
        assert_ne!(newer, text, "{function} has got no new argument");
        steps.push(format!("drop function {name}"));
        steps.push(newer);
    }
    let version = format!("insert into {schema}.schema_migrations values ({}, now(), {newest})", newest + 1);
    steps.extend([version, "commit".to_owned()]);
    run(connection, steps.join(";\n")).await
}

/// Pushes, claims, renews, settles, retries and cancels jobs, unique ones among them.
async fn use_it(queue: &PostgresQueue) -> TestResult {
    let lone = queue.enqueue(work::new(1)).await?.id();
    let batch =
        queue.push(vec![work::new(2).into(), queue_core::NewJob::from(work::new(3)).unique("3")]).await?;
    let cancelled = queue.enqueue(work::new(4)).await?.id();
    queue.cancel(cancelled, "not needed").await?;
    let deliveries = queue.claim(&Demand::new("default", 10).wait(Duration::ZERO)).await?;
    assert_eq!(deliveries.len(), 3);
    let leases: Vec<_> = deliveries.iter().map(|delivery| delivery.lease.clone()).collect();
    queue.renew(&Heartbeat::of(&leases)).await?;
    let settled = leases.into_iter().map(|lease| {
        let settlement = Settlement::new(lease, Transition::complete());
        settlement.followups(vec![queue_core::NewJob::from(work::new(5)).queue("next")])
    });
    queue.settle(settled.collect()).await?;
    for id in batch.iter().map(|pushed| pushed.id()).chain([lone]) {
        assert_eq!(queue.get(id).await?.map(|job| job.state), Some(State::Completed));
    }
    assert_eq!(queue.claim(&Demand::new("next", 10).wait(Duration::ZERO)).await?.len(), 3);
    Ok(())
}

/// D29: a program that runs goes on after an additive migration, with the statements that it has prepared; so does one
/// that is started again, with or without the right to migrate.
#[tokio::test]
async fn an_older_program_works_with_a_schema_that_names_its_version_as_the_minimum() -> TestResult {
    let (running, mut connection, schema) = queue().await?;
    use_it(&running).await?;

    migrate_additively(&mut connection, &schema).await?;

    use_it(&running).await?;
    let builder = PostgresQueue::builder(url()).schema(&schema);
    builder.clone().migrate().await?;
    for migrates in [true, false] {
        let next = format!("delete from {schema}.leases");
        run(&mut connection, next).await?;
        use_it(&builder.clone().run_migrations(migrates).connect().await?).await?;
    }
    Ok(())
}

/// D29: jobs pass between a program that was there before an additive migration and one that came after it.
#[tokio::test]
async fn programs_from_before_and_after_an_additive_migration_share_the_jobs() -> TestResult {
    let (before, mut connection, schema) = queue().await?;
    migrate_additively(&mut connection, &schema).await?;
    let after = PostgresQueue::builder(url()).schema(&schema).connect().await?;

    for (pushes, works) in [(&before, &after), (&after, &before)] {
        let id = pushes.enqueue(work::new(1)).await?.id();
        let deliveries = works.claim(&Demand::new("default", 1).wait(Duration::from_secs(20))).await?;
        let [delivery] = &*deliveries else { panic!("one job was pushed") };
        works.settle(vec![Settlement::new(delivery.lease.clone(), Transition::complete())]).await?;
        assert_eq!(pushes.get(id).await?.map(|job| job.state), Some(State::Completed));
    }
    Ok(())
}

async fn refusal(schema: &str, migrates: bool) -> Result<String, BoxError> {
    let builder = PostgresQueue::builder(url()).schema(schema).run_migrations(migrates);
    let error = builder.connect().await.expect_err("it was opened");
    assert_eq!(error.kind(), QueueErrorKind::Unsupported);
    Ok(error_chain(&error))
}

/// D29, D8
#[tokio::test]
async fn a_program_below_the_minimum_is_refused_with_the_versions_and_what_to_do() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    migrate_additively(&mut connection, &schema).await?;
    // The next one after it is not additive, and one after that is, for those that know the last.
    let newest =
        number(&mut connection, format!("select max(version)::bigint from {schema}.schema_migrations"))
            .await?;
    let breaking = newest + 1;
    run(&mut connection, format!("insert into {schema}.schema_migrations (version) values ({breaking})"))
        .await?;
    let additive =
        format!("insert into {schema}.schema_migrations values ({}, now(), {breaking})", breaking + 1);
    run(&mut connection, additive).await?;

    for migrates in [true, false] {
        let text = refusal(&schema, migrates).await?;

        let says =
            format!("has version {} and works with programs that know version {breaking}", breaking + 1);
        assert!(text.contains(&says) && text.contains("update the program"), "{text}");
    }
    let error = PostgresQueue::builder(url()).schema(&schema).migrate().await.expect_err("it was migrated");
    assert_eq!(error.kind(), QueueErrorKind::Unsupported);
    Ok(())
}
