//! Credentials that change while the program runs (D30).

use std::sync::{Arc, Mutex};

use queue_core::{BoxError, Inspect as _, QueueErrorKind, QueueExt as _};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, cut, run, work};

/// A server with a user whose password can be changed.
async fn server() -> Result<(Postgres, PgConnection, PgConnectOptions), BoxError> {
    let server = Postgres::start(Durability::Process, &[])?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let user = "create role worker login password 'first'; grant create on database postgres to worker";
    run(&mut connection, user).await?;
    server.ask_for_password("worker")?;
    let options = server.url_of("worker", "postgres").parse::<PgConnectOptions>()?.password("first");
    // The server takes a moment to read its new rules.
    let wrong = options.clone().password("wrong");
    while PgConnection::connect_with(&wrong).await.is_ok() {}
    Ok((server, connection, options))
}

/// Changes the password and ends every session of the user.
async fn change(connection: &mut PgConnection, password: &str) -> TestResult {
    run(connection, format!("alter role worker password '{password}'")).await?;
    cut(connection, "%' and usename = 'worker' and query like '%").await?;
    Ok(())
}

/// D30: a queue from a pool connects with the options that the pool has by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_takes_the_options_that_the_pool_has_now() -> TestResult {
    let (_server, mut connection, options) = server().await?;
    let pool = PgPoolOptions::new().connect_lazy_with(options.clone());
    let queue = PostgresQueue::from_pool(pool.clone()).await?;
    queue.enqueue(work::new(1)).await?;

    change(&mut connection, "second").await?;
    pool.set_connect_options(options.password("second"));

    queue.enqueue(work::new(2)).await?;
    assert_eq!(queue.counts().await?.iter().map(|counts| counts.unfinished()).sum::<u64>(), 2);
    Ok(())
}

/// D30: a function of the application makes the options of each new connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_takes_the_options_that_are_made_for_it() -> TestResult {
    let (_server, mut connection, options) = server().await?;
    let password = Arc::new(Mutex::new(Some("first")));
    let current = password.clone();
    let queue = PostgresQueue::options_builder(options.password("none"))
        .connect_options_with(move |options| {
            let password = *current.lock().expect("a password");
            async move { Ok(options.password(password.ok_or("there is no password now")?)) }
        })
        .connect()
        .await?;
    queue.enqueue(work::new(1)).await?;

    change(&mut connection, "second").await?;
    *password.lock().expect("a password") = None;
    let error = queue.enqueue(work::new(2)).await.expect_err("there was no password");
    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("options"), "{error}");
    *password.lock().expect("a password") = Some("second");

    queue.enqueue(work::new(3)).await?;
    Ok(())
}
