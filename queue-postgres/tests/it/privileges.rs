//! A role that may do what the documentation lists, and nothing more.

use queue_core::admin::{Filter, HistoryRequest, PageRequest, Prune};
use queue_core::{
    Admin as _, Announcement, Body, Demand, Heartbeat, JobId, JobRecord, Queue as _, QueueErrorKind,
    QueueExt as _, Settlement, Timestamp, Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, run, work};

/// The list of the documentation, as it stands there.
const GRANTS: &str = include_str!("../../migrations/grants.sql");

/// The listed rights suffice for every call. An error names a right that was revoked, and the call works once it is granted
/// again.
#[tokio::test]
async fn the_rights_that_are_listed_are_enough() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    PostgresQueue::builder(server.url("postgres")).migrate().await?;
    let mut owner = PgConnection::connect(&server.url("postgres")).await?;
    run(&mut owner, "create role app login; revoke all on schema public from public").await?;
    run(&mut owner, GRANTS.replace("app_user", "app")).await?;
    let queue = PostgresQueue::connect(server.url_of("app", "postgres")).await?;

    let kept = queue.enqueue(work::new(1)).unique("key").await?.id();
    queue.enqueue(work::new(2)).await?;
    queue.pause(&"default".into()).await?;
    queue.resume(&"default".into()).await?;
    let jobs = queue.claim(&Demand::new("default", 2).worker("a/1/b")).await?;
    queue.announce(&Announcement::new("a/2/b".into())).await?;
    queue.renew(&Heartbeat::of(jobs.iter().map(|job| &job.lease))).await?;
    let settle =
        jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::Discard { error: "no".into() }));
    queue.settle(settle.collect()).await?;
    queue.retry(kept).await?;
    queue.cancel(kept, "why").await?;
    queue.delete(kept).await?;
    queue.counts().await?;
    queue.summary().await?;
    assert_eq!(queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await?.len(), 1);
    assert_eq!(queue.workers().await?.len(), 1);
    let mut imported = JobRecord::new(JobId::random(), "work".into(), Body::stored("{\"number\": 5}"));
    imported.queue = "imported".into();
    imported.unique = Some("key".to_owned());
    imported.unique_until = Some(imported.pushed_at);
    queue.import(vec![imported.clone()]).await?;
    queue.delete(imported.id).await?;
    queue.diagnose().await?;
    queue.list(&Filter::all(), &PageRequest::first(10)).await?;
    assert_eq!(queue.prune(&Prune::older_than(std::time::Duration::ZERO)).await?, 1);
    let mut app = PgConnection::connect(&server.url_of("app", "postgres")).await?;
    run(&mut app, "select queue.enqueue('work', '{\"number\": 4}', queue => 'new', unique_key => 'key')")
        .await?;

    run(&mut owner, "revoke insert on queue.jobs from app").await?;
    let error = queue.enqueue(work::new(3)).await.expect_err("it was stored without the right to");
    assert_eq!(error.kind(), QueueErrorKind::Unavailable);
    assert!(error.to_string().contains("the user `app` lacks a permission in schema `queue`"), "{error}");
    run(&mut owner, "grant insert on queue.jobs to app").await?;
    queue.enqueue(work::new(3)).await?;
    Ok(())
}
