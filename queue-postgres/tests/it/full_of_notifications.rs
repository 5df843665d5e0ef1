//! A server that has no room for notifications, which makes no call fail (D27).

use std::time::Duration;

use queue_core::{
    Admin as _, Demand, Event, JobContext, Queue as _, QueueExt as _, Services, Settled, Settlement,
    Transition, background_job, jobs,
};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, run, work};
use crate::logs;

#[background_job(max_attempts = 1)]
async fn go_on(#[inject] _tx: &mut PostgresUnitOfWork, #[inject] context: &JobContext) {
    context.then(queue_core::NewJob::from(work::new(7)).queue("later"));
}

/// Simulates a full notification queue: 8 GiB of notifications, kept by a session that listens and is idle in a
/// transaction.
const FULL: &str = "
    create function public.pg_notify(text, text) returns void language plpgsql as $$
    begin
        raise exception using errcode = 'program_limit_exceeded', message = 'too many notifications in the NOTIFY queue';
    end $$;
    create function public.pg_notification_queue_usage() returns double precision language sql as 'select 1.0::float8';
    alter role postgres set search_path = public, pg_catalog;
    alter function queue.push set search_path = queue, public, pg_catalog, pg_temp;
    alter function queue.enqueue set search_path = queue, public, pg_catalog, pg_temp;
    alter function queue.settle set search_path = queue, public, pg_catalog, pg_temp;
    alter function queue.retry set search_path = queue, public, pg_catalog, pg_temp";

/// D27: pushes, settlements, retries, transactions of applications and SQL succeed without the notification, with one warning.
#[tokio::test(flavor = "multi_thread")]
async fn calls_succeed_without_room_for_their_notifications() -> TestResult {
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let address = server.socket_folder().display().to_string();
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    drop(PostgresQueue::connect(server.url("postgres")).await?);
    run(&mut connection, FULL).await?;
    let connect = || PostgresQueue::connect(server.url("postgres"));
    let (pushes, settles, retries) = (connect().await?, connect().await?, connect().await?);

    let id = pushes.enqueue(work::new(1)).await?.id();
    pushes.enqueue(work::new(2)).unique("key").queue("other").await?;
    let mut jobs = settles.claim(&Demand::new("default", 1)).await?;
    let lease = jobs.pop().ok_or("a job")?.lease;
    let discard = Transition::Discard { error: "it rained".to_owned() };
    let settled = settles.settle(vec![Settlement::new(lease, discard)]).await?;
    assert_eq!(settled, [Settled::Applied]);
    retries.retry(id).await?;
    retries.pause(&"default".into()).await?;
    retries.resume(&"default".into()).await?;
    let mut other = PgConnection::connect(&server.url("postgres")).await?;
    let mut tx = other.begin().await?;
    pushes.enqueue_in(&mut tx, work::new(3)).await?;
    tx.commit().await?;
    run(&mut other, "select queue.enqueue('work', '{\"number\": 4}')").await?;
    assert_eq!(settles.claim(&Demand::new("default", 10)).await?.len(), 3);

    let services =
        Services::builder().unit_of_work(pushes.unit_of_work(), PostgresUnitOfWork::end).build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service = QueueService::new(pushes.clone(), jobs![go_on]).queues(["units"]).observe(recorder.clone());
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    pushes.enqueue(go_on::new()).queue("units").await?;
    let end = recorder.wait_for("the end", |event| matches!(event, Event::Settled { .. })).await;
    let is_complete = matches!(&end, Event::Settled { transition: Transition::Complete { .. }, .. });
    assert!(is_complete, "{end:?}");
    running.stop().await?;

    let warnings = logs::count(&["no room for notifications", &address]);
    assert!((1..=3).contains(&warnings), "{warnings} warnings of three programs");
    Ok(())
}
