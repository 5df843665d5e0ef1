//! What connecting makes, accepts and refuses (D7, D8, D10).

use std::time::Duration;

use queue_core::error::chain;
use queue_core::{Inspect as _, JobId, QueueErrorKind, QueueExt as _};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, number, queue, run, schema, url, work};

/// Opens what can't be opened, and gives the kind of the error with all that it says.
async fn refused(builder: PostgresQueueBuilder) -> (QueueErrorKind, String) {
    let error = builder.connect().await.expect_err("it was opened");
    (error.kind(), format!("{} {error:?}", chain(&error)))
}

/// D7: whoever comes second finds the work done.
#[tokio::test(flavor = "multi_thread")]
async fn connecting_at_the_same_time_migrates_once() -> TestResult {
    let schema = schema();

    let connecting: Vec<_> =
        (0..8).map(|_| tokio::spawn(PostgresQueue::builder(url()).schema(&schema).connect())).collect();
    let mut queues = Vec::new();
    for connected in connecting {
        queues.push(connected.await??);
    }

    for (number, queue) in (0..).zip(&queues) {
        queue.enqueue(work::new(number)).await?;
    }
    let mut connection = PgConnection::connect(&url()).await?;
    let versions = format!("select count(*) - count(distinct version) from {schema}.versions");
    assert_eq!(number(&mut connection, versions).await?, 0);
    Ok(())
}

/// D8
#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    run(&mut connection, format!("insert into {schema}.versions values (99)")).await?;

    let (kind, text) = refused(PostgresQueue::builder(url()).schema(&schema)).await;

    assert_eq!(kind, QueueErrorKind::Unsupported);
    assert!(text.contains("has version 99") && text.contains("update the program"), "{text}");
    Ok(())
}

/// D8: a schema that is to be made apart.
#[tokio::test]
async fn without_migration_an_absent_schema_is_refused_with_what_to_do() -> TestResult {
    let schema = schema();
    let builder = PostgresQueue::builder(url()).schema(&schema);

    let (kind, text) = refused(builder.clone().migrate(false)).await;

    assert_eq!(kind, QueueErrorKind::Unsupported);
    assert!(text.contains("run `PostgresQueue::migrate`"), "{text}");
    builder.clone().migrate_now().await?;
    builder.migrate(false).connect().await?.enqueue(work::new(1)).await?;
    Ok(())
}

/// D8: no server, no database, no user, no right to one, no URL. Each error says where and what to do, and none the
/// password.
#[tokio::test]
async fn what_cannot_be_reached_is_refused_with_where_and_what_to_do() -> TestResult {
    const PASSWORD: &str = "s3cret";
    let server = Postgres::start(Durability::Process, &[])?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    run(&mut connection, "create role locked login password 'another'; create role guest login").await?;
    server.ask_for_password("locked")?;
    // The server takes the new rule up when it comes to it.
    let rules = "select count(*) from pg_hba_file_rules where user_name = '{locked}'";
    while number(&mut connection, rules).await? == 0 {}
    let socket = server.socket_folder().display();
    let of = |user: &str, database: &str| {
        format!("postgres://{user}:{PASSWORD}@localhost/{database}?host={socket}")
    };
    let table = [
        (of("locked", "postgres"), "refuses the user `locked`", QueueErrorKind::Unavailable),
        (of("nobody", "postgres"), "refuses the user `nobody`", QueueErrorKind::Unavailable),
        (of("postgres", "shop"), "there is no database `shop`", QueueErrorKind::Unavailable),
        (of("guest", "postgres"), "the user `guest` lacks a permission", QueueErrorKind::Unavailable),
        (
            format!("postgres://me:{PASSWORD}@localhost:1/shop"),
            "database `shop` on `localhost:1` can't be reached",
            QueueErrorKind::Unavailable,
        ),
        (format!("mysql://me:{PASSWORD}@localhost/shop"), "can't be read", QueueErrorKind::Invalid),
    ];

    for (url, says, expected) in table {
        let (kind, text) = refused(PostgresQueue::builder(&url).timeout(Duration::from_secs(10))).await;
        assert_eq!(kind, expected, "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(!text.contains(PASSWORD), "{text}");
        assert!(!format!("{:?}", PostgresQueue::builder(&url)).contains(PASSWORD));
    }
    Ok(())
}

/// D8
#[tokio::test]
async fn a_schema_that_is_too_long_is_refused() -> TestResult {
    let (kind, text) = refused(PostgresQueue::builder(url()).schema("q".repeat(49))).await;

    assert_eq!(kind, QueueErrorKind::Invalid);
    assert!(text.contains("has 49 bytes: it must have 1 to 48"), "{text}");
    Ok(())
}

/// Names that need quotes are quoted.
#[tokio::test]
async fn any_name_may_be_a_schemas() -> TestResult {
    let schema = "my \"jobs\"; drop table x --'";
    let queue = PostgresQueue::builder(url()).schema(schema).connect().await?;
    let id = queue.enqueue(work::new(1)).await?.id();

    assert!(queue.get(id).await?.is_some());
    drop(queue);
    // Once more: the schema is found as it was made.
    assert!(PostgresQueue::builder(url()).schema(schema).connect().await?.get(id).await?.is_some());
    Ok(())
}

/// Every version of the schema, the first one first.
const VERSIONS: [&str; 6] = [
    include_str!("../../migrations/0001_tables.sql"),
    include_str!("../../migrations/0002_time.sql"),
    include_str!("../../migrations/0003_push.sql"),
    include_str!("../../migrations/0004_settle.sql"),
    include_str!("../../migrations/0005_claim.sql"),
    include_str!("../../migrations/0006_operate.sql"),
];

/// D10: from each earlier version, made by hand as the first file says.
#[tokio::test]
async fn upgrading_from_each_earlier_version_keeps_every_job() -> TestResult {
    let mut connection = PgConnection::connect(&url()).await?;
    for version in 1..=VERSIONS.len() {
        let schema = schema();
        run(&mut connection, format!("create schema {schema}; set search_path = {schema}, pg_temp")).await?;
        for file in &VERSIONS[..version] {
            run(&mut connection, *file).await?;
        }
        let mark = format!("insert into versions (version) select generate_series(1, {version})");
        run(&mut connection, mark).await?;
        let id = JobId::from_u128(7);
        let job = format!(
            "insert into lines (name) values ('default');
            insert into jobs (id, line, name, priority, max_attempts, pushed_at, run_at, payload)
                values ('{id}', 1, 'work', 0, 5, 1, 1, '{{\"number\":1}}');
            insert into ready select line, priority, run_at, seq from jobs"
        );
        run(&mut connection, job).await?;

        let queue = PostgresQueue::builder(url()).schema(&schema).connect().await?;

        let job = queue.get(id).await?.ok_or("the job is gone")?;
        assert_eq!(job.state, queue_core::State::Available, "from version {version}");
        let claimed = queue_core::Queue::claim(&queue, &queue_core::Demand::new("default", 1)).await?;
        assert_eq!(claimed.first().map(queue_core::Delivery::id), Some(id), "from version {version}");
    }
    Ok(())
}
