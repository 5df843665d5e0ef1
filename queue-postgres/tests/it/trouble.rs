//! A server that is unavailable, slow or unusual: calls wait within a bound, errors are clear, and the queue recovers
//! (D4, D14).

use std::time::Duration;

use queue_core::{
    Admin as _, Demand, Queue as _, QueueErrorKind, QueueExt as _, Services, State, background_job, jobs,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, cut, number, queue, run, schema, url, work};
use crate::logs;

#[background_job]
async fn count() {}

/// D4: connections that break in mid-load, and a server that is restarted, cost errors and no job.
#[tokio::test(flavor = "multi_thread")]
async fn the_loop_recovers_from_broken_connections_and_restarts() -> TestResult {
    const JOBS: u64 = 300;
    let server = Postgres::start(Durability::Process, &[])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    let service = QueueService::new(queue.clone(), jobs![count]).concurrency(4).lease(Duration::from_secs(2));
    let services = Services::builder().build()?;
    let running = Host::builder().services(services).service(service).build()?.start().await?;

    for number in 0..JOBS {
        // The producer repeats a push with an unknown outcome under the same id.
        let job = queue_core::NewJob::from(count::new()).id(queue_core::JobId::random());
        while let Err(error) = queue.push(vec![job.clone()]).await {
            assert!(error.is_transient(), "{error:?}");
            tokio::task::yield_now().await;
        }
        if number % 100 == 50 {
            let mut connection = PgConnection::connect(&server.url("postgres")).await?;
            cut(&mut connection, "%queue%").await?;
        }
        if number % 100 == 99 {
            server.stop();
            server.restart()?;
        }
    }

    let mut completed = 0;
    while completed < JOBS {
        let counts = queue.counts().await.unwrap_or_default();
        completed = counts.iter().map(|counts| counts.of(State::Completed)).sum();
    }
    assert_eq!(completed, JOBS);
    running.stop().await?;
    Ok(())
}

/// D14: a call waits for a lock that others hold, but no longer than its timeout.
#[tokio::test]
async fn a_locked_table_is_waited_for_within_the_bound() -> TestResult {
    let schema = schema();
    let builder = PostgresQueue::builder(url()).schema(&schema);
    let queue = builder.clone().connect().await?;
    let hasty = builder.timeout(Duration::from_millis(300)).connect().await?;
    hasty.enqueue(work::new(0)).await?;
    let mut connection = PgConnection::connect(&url()).await?;
    let mut tx = connection.begin().await?;
    run(&mut tx, format!("lock table {schema}.ready in access exclusive mode")).await?;

    let error = hasty.enqueue(work::new(1)).await.expect_err("it was stored in a locked table");
    assert_eq!(error.kind(), QueueErrorKind::Unavailable);
    assert!(error.to_string().contains("a lock that this push needs for 300ms"), "{error}");
    let error =
        hasty.claim(&Demand::new("default", 1)).await.expect_err("it was claimed from a locked table");
    assert_eq!(error.kind(), QueueErrorKind::Unavailable);

    let waiting = queue.enqueue(work::new(2));
    let mut other = PgConnection::connect(&url()).await?;
    let freed = async {
        let waits = format!(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%{schema}%'"
        );
        while number(&mut other, waits.clone()).await? == 0 {}
        tx.rollback().await?;
        TestResult::Ok(())
    };
    let (stored, freed) = tokio::join!(waiting, freed);
    freed?;
    assert!(queue.get(stored?.id()).await?.is_some());
    let claimed = hasty.claim(&Demand::new("default", 10)).await?;
    // A refused push is not stored later.
    assert_eq!(claimed.len(), 2, "{claimed:?}");
    Ok(())
}

/// D4: what the server ends by its own settings is said as such.
#[tokio::test]
async fn a_statement_that_takes_too_long_for_the_server_says_so() -> TestResult {
    let server = Postgres::start(Durability::Process, &["statement_timeout=100ms"])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let mut tx = connection.begin().await?;
    run(&mut tx, "lock table queue.waiting in access exclusive mode").await?;

    let error =
        queue.claim(&Demand::new("default", 1)).await.expect_err("it was claimed from a locked table");

    assert_eq!(error.kind(), QueueErrorKind::Unavailable);
    assert!(error.to_string().contains("took longer than `statement_timeout`"), "{error}");
    tx.rollback().await?;
    queue.enqueue(work::new(1)).await?;
    Ok(())
}

/// D4: the queue works the same on a server whose default isolation level is serializable.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_serializable_by_default_is_worked_with_all_the_same() -> TestResult {
    const JOBS: usize = 200;
    let server = Postgres::start(Durability::Process, &["default_transaction_isolation=serializable"])?;
    let queues = [
        PostgresQueue::connect(server.url("postgres")).await?,
        PostgresQueue::connect(server.url("postgres")).await?,
    ];
    let pushes = (0..JOBS).map(|number| {
        let queue = queues[number % 2].clone();
        tokio::spawn(async move { queue.enqueue(work::new(1)).unique(format!("{}", number / 2)).await })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await??;
    }

    let mut claimed = Vec::new();
    while claimed.len() < JOBS / 2 {
        let demand = Demand::new("default", 7);
        let now = demand.clone().wait(Duration::ZERO);
        let (one, other) = tokio::join!(queues[0].claim(&demand), queues[1].claim(&now));
        claimed.extend(one?.into_iter().chain(other?).map(|delivery| delivery.id()));
    }
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), JOBS / 2);
    Ok(())
}

/// A row that can't be read fails the call with the place of it, and stops no other queue.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let id = queue.enqueue(work::new(1)).meta("key", "value").await?.id();
    run(&mut connection, format!("update {schema}.jobs set meta = 'spoilt'")).await?;

    let error = queue.get(id).await.expect_err("it was read");

    assert_eq!(error.kind(), QueueErrorKind::Corrupt);
    assert!(error.to_string().contains(&format!("schema `{schema}`")), "{error}");
    Ok(())
}

/// D14: a transaction that the server rolled back in a conflict is run again, and no caller gets an error.
#[tokio::test]
async fn a_transaction_that_gave_way_is_run_again() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let gives_way = format!(
        "create sequence {schema}.tries;
        alter function {schema}.ensure_queues(text[]) rename to ensure_queues_at_last;
        create function {schema}.ensure_queues(_names text[]) returns void language plpgsql as $$
        begin
            if nextval('{schema}.tries') <= 3 then
                raise exception using errcode = 'serialization_failure', message = 'another was first';
            end if;
            perform {schema}.ensure_queues_at_last(_names);
        end $$"
    );
    run(&mut connection, gives_way).await?;

    queue.enqueue(count::new()).await?;

    assert_eq!(number(&mut connection, format!("select last_value from {schema}.tries")).await?, 4);
    Ok(())
}

/// D27: if the server ends an idle session, the queue opens a new one at the next call, without an error.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_ended_idle_are_made_anew_in_silence() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &["idle_session_timeout=200ms"])?;
    let address = server.socket_folder().display().to_string();
    let queue = PostgresQueue::builder(server.url("postgres")).poll_interval(Duration::from_millis(500));
    let queue = queue.connect().await?;
    let services = Services::builder().build()?;
    let service = QueueService::new(queue.clone(), jobs![count]);
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    run(&mut connection, "set idle_session_timeout = 0").await?;

    // Statistics come late.
    let ended = "select sessions_fatal from pg_stat_database where datname = 'postgres'";
    while number(&mut connection, ended).await? < 6 {
        let before = number(&mut connection, ended).await?;
        queue.enqueue(count::new()).await?;
        while number(&mut connection, ended).await? == before {
            tokio::task::yield_now().await;
        }
    }

    running.stop().await?;
    for said in ["WARN", "ERROR"] {
        assert_eq!(logs::count(&[said, &address]), 0, "{said}");
    }
    Ok(())
}
