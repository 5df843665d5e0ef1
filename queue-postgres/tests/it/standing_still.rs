//! A server whose processes stand still, all of them (D27): its connections stay open, and nothing answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_core::{
    Admin as _, BoxError, Event, JobError, QueueErrorKind, QueueExt as _, Services, State, background_job,
    jobs,
};
use queue_postgres::PostgresQueue;
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};
use tokio::sync::Semaphore;

use crate::fixture::{TestResult, work};

/// The bound within which a call is answered or refused.
const ANSWER: Duration = Duration::from_secs(5);

#[background_job(max_attempts = 1)]
async fn hold(#[inject] ends: &Semaphore) -> Result<(), JobError> {
    ends.acquire().await?.forget();
    Ok(())
}

/// D27: pushes and looks are refused within 5 s, the job that runs keeps its lease, and service resumes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_costs_no_lease_and_no_call_its_time() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    let ends = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(ends.clone()).build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service = QueueService::new(queue.clone(), jobs![hold]).observe(recorder.clone());
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    let held = queue.enqueue(hold::new()).await?.id();
    recorder.wait_for("a start", |event| matches!(event, Event::Started(_))).await;
    queue.counts().await?;

    server.pause();
    // The first connection was just used, those of the others are idle for a while or were never opened.
    for call in ["a push", "another push", "a third push", "a look"] {
        let began = Instant::now();
        let refused = if call == "a look" {
            queue.counts().await.map(drop)
        } else {
            queue.enqueue(work::new(1)).queue("nobody").await.map(drop)
        };
        let error = refused.expect_err(call);
        assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{call}: {error}");
        assert!(began.elapsed() < ANSWER, "{call} took {:?}", began.elapsed());
    }
    server.resume();

    while let Err(error) = queue.enqueue(work::new(2)).queue("nobody").await {
        assert!(error.is_transient(), "{error:?}");
    }
    ends.add_permits(1);
    recorder.wait_for("an end", |event| matches!(event, Event::Settled { .. })).await;
    assert_eq!(recorder.count(|event| matches!(event, Event::LeaseLost(_))), 0);
    while queue.get(held).await?.map(|job| job.state) != Some(State::Completed) {}
    running.stop().await.map_err(BoxError::from)?;
    Ok(())
}
