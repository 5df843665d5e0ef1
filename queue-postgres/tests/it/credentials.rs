//! Credentials that change while the program runs (D30).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, Event, Queue as _, QueueErrorKind, QueueExt as _, Services, State, background_job,
    jobs,
};
use queue_postgres::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, cut, run, work};

#[background_job(max_attempts = 1)]
async fn write(#[inject] _tx: &mut PostgresUnitOfWork) {}

/// Starts a server that asks the user `worker` for a password. Returns it with a superuser's connection and the options of
/// `worker`.
async fn server() -> Result<(Postgres, PgConnection, PgConnectOptions), BoxError> {
    let server = Postgres::start(Durability::Process, &[])?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let user = "create role worker login password 'first'; grant create on database postgres to worker";
    run(&mut connection, user).await?;
    server.ask_for_password("worker")?;
    let options = server.url_of("worker", "postgres").parse::<PgConnectOptions>()?.password("first");
    // The server reads its new rules asynchronously.
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

/// H77: the line at a service's start names the database and the schema, and no password.
#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_the_database_and_no_password() -> TestResult {
    let (_server, _connection, options) = server().await?;

    let description = PostgresQueue::builder(options).connect().await?.description();

    assert!(description.starts_with("PostgreSQL database `postgres` on `"), "{description}");
    assert!(description.contains("schema `queue`; an acknowledged push is as durable"), "{description}");
    assert!(!description.contains("first"), "{description}");
    Ok(())
}

/// D30: a queue from a pool connects with the pool's current options.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_uses_the_current_options_of_the_pool() -> TestResult {
    let (_server, mut connection, options) = server().await?;
    let pool = PgPoolOptions::new().connect_lazy_with(options.clone());
    let queue = PostgresQueue::builder(pool.clone()).connect().await?;
    queue.enqueue(work::new(1)).await?;

    change(&mut connection, "second").await?;
    pool.set_connect_options(options.password("second"));

    queue.enqueue(work::new(2)).await?;
    assert_eq!(queue.counts().await?.iter().map(|counts| counts.unfinished()).sum::<u64>(), 2);
    Ok(())
}

/// D30: a function of the application returns the options of each new connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_uses_the_options_that_the_function_returns() -> TestResult {
    let (_server, mut connection, options) = server().await?;
    let password = Arc::new(Mutex::new(Some("first")));
    let current = password.clone();
    let queue = PostgresQueue::builder(options.password("none"))
        .connect_options_with(move |options| {
            let password = *current.lock().expect("a password");
            async move { Ok(options.password(password.ok_or("there is no password now")?)) }
        })
        .connect()
        .await?;
    queue.enqueue(work::new(1)).await?;
    let services = Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end).build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service = QueueService::new(queue.clone(), jobs![write]).queues(["units"]).observe(recorder.clone());
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    let ended = |count: usize| {
        let recorder = recorder.clone();
        async move {
            let is_end = |event: &Event| matches!(event, Event::Settled { .. });
            recorder.wait_for("an end", |_| recorder.count(is_end) >= count).await
        }
    };
    queue.enqueue(write::new()).queue("units").await?;
    ended(1).await;

    change(&mut connection, "second").await?;
    *password.lock().expect("a password") = None;
    let error = queue.enqueue(work::new(2)).await.expect_err("there was no password");
    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("options"), "{error}");
    *password.lock().expect("a password") = Some("second");

    queue.enqueue(work::new(3)).await?;
    let id = queue.enqueue(write::new()).queue("units").await?.id();
    ended(2).await;
    assert_eq!(queue.get(id).await?.map(|job| job.state), Some(State::Completed));
    running.stop().await?;
    Ok(())
}
