//! Notifications only speed things up (D13).

use std::time::Duration;

use queue_core::{BoxError, Demand, Queue as _, QueueExt as _};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, cut, run, work};
use crate::logs;

/// Waits until so many lines have these words.
async fn said(words: &[&str], times: usize) {
    while logs::count(words) < times {
        tokio::task::yield_now().await;
    }
}

/// Has one queue push while another waits, and tells that it was woken.
async fn is_woken(one: &PostgresQueue, other: &PostgresQueue) -> Result<(), BoxError> {
    let demand = Demand::new("default", 1);
    let claim = one.claim(&demand);
    let push = other.enqueue(work::new(1));
    let (claimed, pushed) = tokio::join!(claim, push);
    pushed?;
    assert_eq!(claimed?.len(), 1);
    Ok(())
}

/// D13: a listener that is lost is missed by nobody, is warned of once, and comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_listener_is_made_up_for_by_looking() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let address = server.socket_folder().display().to_string();
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let builder = || PostgresQueue::builder(server.url("postgres")).poll_interval(Duration::from_millis(50));
    let (one, other) = (builder().connect().await?, builder().connect().await?);
    is_woken(&one, &other).await?;

    // It may be that they have just begun to listen.
    while cut(&mut connection, "LISTEN%").await? < 2 {}
    said(&[&address, "are not heard"], 2).await;
    is_woken(&one, &other).await?;
    said(&[&address, "are heard again"], 2).await;

    is_woken(&one, &other).await?;
    assert_eq!(logs::count(&[&address, "are not heard"]), 2, "each of the two said so once");
    Ok(())
}

/// D13: where notifications get lost on the way, as with a pooler that nobody told of, it's looked for jobs at the
/// interval, and said once.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_notification_jobs_start_within_the_interval() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let address = server.socket_folder().display().to_string();
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let builder = || PostgresQueue::builder(server.url("postgres")).poll_interval(Duration::from_millis(50));
    drop(builder().connect().await?);
    // Whoever means to notify calls another function.
    let silence = "create function public.pg_notify(text, text) returns void language sql as 'select';
        alter role postgres set search_path = public, pg_catalog;
        alter function queue.push set search_path = queue, public, pg_catalog, pg_temp";
    run(&mut connection, silence).await?;
    let (one, other) = (builder().connect().await?, builder().connect().await?);

    for _ in 0..3 {
        is_woken(&one, &other).await?;
    }

    said(&[&address, "those that are sent don't arrive"], 2).await;
    is_woken(&one, &other).await?;
    assert_eq!(logs::count(&[&address, "are not heard"]), 2, "each of the two said so once");
    Ok(())
}
