//! Connecting: the schema that it creates, and the sources and settings that it accepts and refuses (D8).

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Admin as _, QueueErrorKind, QueueExt as _};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, number, queue, run, schema, url, work};

/// Opens what can't be opened, and gives the kind of the error with all that it says.
async fn refused(builder: PostgresQueueBuilder) -> (QueueErrorKind, String) {
    let error = builder.connect().await.expect_err("it was opened");
    (error.kind(), format!("{} {error:?}", error_chain(&error)))
}

/// D8
#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    run(&mut connection, format!("insert into {schema}.schema_migrations values (99)")).await?;

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

    let (kind, text) = refused(builder.clone().run_migrations(false)).await;

    assert_eq!(kind, QueueErrorKind::Unsupported);
    assert!(text.contains("run `PostgresQueueBuilder::migrate`"), "{text}");
    builder.clone().migrate().await?;
    builder.run_migrations(false).connect().await?.enqueue(work::new(1)).await?;
    Ok(())
}

/// D8: the script is what `migrate` runs.
#[tokio::test]
async fn the_script_of_the_missing_migrations_creates_the_schema() -> TestResult {
    let schema = schema();
    let builder = PostgresQueue::builder(url()).schema(&schema);
    let status = builder.clone().schema_status().await?;
    assert_eq!((status.found.version, status.is_current()), (0, false));

    run(&mut PgConnection::connect(&url()).await?, status.script).await?;

    let status = builder.clone().schema_status().await?;
    assert_eq!((status.found.version, status.script.as_str()), (status.latest, ""));
    builder.run_migrations(false).connect().await?.enqueue(work::new(1)).await?;
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
        (
            format!("mysql://me:{PASSWORD}@localhost/shop"),
            "does not begin with `postgres://`",
            QueueErrorKind::Invalid,
        ),
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
