//! Notifications only save time (D13).

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin as _, BoxError, Demand, Queue as _, QueueExt as _};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::fixture::{NEVER, TestResult, cut, number, queue, run, schema, url, work};
use crate::logs;
use crate::way::{Mishap, Way};

/// Waits until `times` lines contain these words.
async fn said(words: &[&str], times: usize) {
    while logs::count(words) < times {
        tokio::task::yield_now().await;
    }
}

/// Pushes through `one` while a claim of `other` waits, and checks that the claim wakes.
async fn is_woken(one: &PostgresQueue, other: &PostgresQueue) -> Result<(), BoxError> {
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(one.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    one.poll_now().await;
    other.enqueue(work::new(1)).await?;
    assert_eq!(claim.await?.len(), 1);
    Ok(())
}

/// D13: without its listener, a queue finds jobs by polling and warns once; the listener reconnects by itself.
#[tokio::test(flavor = "multi_thread")]
async fn polling_replaces_a_lost_listener_until_it_reconnects() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let address = server.socket_folder().display().to_string();
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let builder = || PostgresQueue::builder(server.url("postgres")).poll_interval(Duration::from_millis(50));
    let (one, other) = (builder().connect().await?, builder().connect().await?);
    is_woken(&one, &other).await?;
    is_woken(&other, &one).await?;

    // The listeners may have just begun to listen.
    while cut(&mut connection, "LISTEN%").await? < 2 {}
    said(&[&address, "LISTEN/NOTIFY is not working"], 2).await;
    is_woken(&one, &other).await?;
    said(&[&address, "LISTEN/NOTIFY is working again"], 2).await;

    is_woken(&one, &other).await?;
    assert_eq!(
        logs::count(&[&address, "LISTEN/NOTIFY is not working"]),
        2,
        "each of the two queues warns once"
    );
    Ok(())
}

/// D13: if notifications get lost, as with a pooler that the queue doesn't know of, claims poll at the interval, with one
/// warning.
#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_jobs_start_within_the_poll_interval() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let address = server.socket_folder().display().to_string();
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let builder = || PostgresQueue::builder(server.url("postgres")).poll_interval(Duration::from_millis(50));
    drop(builder().connect().await?);
    // The queue's calls of `pg_notify` call this function instead.
    let silence = "create function public.pg_notify(text, text) returns void language sql as 'select';
        alter role postgres set search_path = public, pg_catalog;
        alter function queue.push set search_path = queue, public, pg_catalog, pg_temp";
    run(&mut connection, silence).await?;
    let (one, other) = (builder().connect().await?, builder().connect().await?);

    for _ in 0..3 {
        is_woken(&one, &other).await?;
        is_woken(&other, &one).await?;
    }

    said(&[&address, "notifications don't arrive"], 2).await;
    is_woken(&one, &other).await?;
    assert_eq!(
        logs::count(&[&address, "LISTEN/NOTIFY is not working"]),
        2,
        "each of the two queues warns once"
    );
    Ok(())
}

/// A bound longer than any notification takes, and much shorter than the interval.
const PATIENCE: Duration = Duration::from_secs(20);

/// D6: each push that follows another too soon for its own notification is notified of a little later.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_soon_after_another_is_notified_of_too() -> TestResult {
    let schema = schema();
    let builder = || PostgresQueue::builder(url()).schema(&schema).poll_interval(NEVER);
    let (one, other) = (builder().connect().await?, builder().connect().await?);
    let demand = Demand::new("default", 1);
    for round in 0..5 {
        let (mut first, mut second) = (Box::pin(one.claim(&demand)), Box::pin(one.claim(&demand)));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        one.poll_now().await;

        for claim in [first, second] {
            other.enqueue(work::new(round)).await?;
            assert_eq!(timeout(PATIENCE, claim).await??.len(), 1, "round {round}");
        }
    }
    Ok(())
}

/// D6: a job pushed between a scan and the start of the listener has no notification, and is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_pushed_before_the_listener_starts_is_found() -> TestResult {
    let (schema, listens) = (schema(), Arc::new(Semaphore::new(0)));
    let way = Way::new("LISTEN", Mishap::Waits(listens.clone()))?;
    let builder = |url: String| PostgresQueue::builder(url).schema(&schema).poll_interval(NEVER);
    let (one, other) = (builder(way.url()).connect().await?, builder(url()).connect().await?);
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(one.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    one.poll_now().await;
    other.enqueue(work::new(1)).await?;

    listens.add_permits(1);

    assert_eq!(timeout(PATIENCE, claim).await??.len(), 1);
    Ok(())
}

/// D13: a program that pushes, claims without waiting, and inspects jobs opens no listener. A claim that waits does.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_listens_once_a_claim_waits() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let listens = format!("select count(*) from pg_stat_activity where query like 'LISTEN%{schema}%'");
    let demand = Demand::new("default", 1);
    queue.enqueue(work::new(1)).await?;
    assert_eq!(queue.claim(&demand).await?.len(), 1);
    assert!(queue.claim(&demand.clone().wait(Duration::ZERO)).await?.is_empty());
    queue.counts().await?;
    assert_eq!(number(&mut connection, listens.clone()).await?, 0);

    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());

    while number(&mut connection, listens.clone()).await? == 0 {}
    queue.enqueue(work::new(2)).await?;
    assert_eq!(claim.await?.len(), 1);
    Ok(())
}
