//! The board over each store: each page, a change, and the reasons of a job.

use std::sync::Arc;

use axum::http::StatusCode;
use queue_board::{Access, Board, show_all};
use queue_core::{Admin, BoxError, Demand, QueueExt as _, Settlement, State, Transition};
use queue_sqlite::SqliteQueue;
use queue_testkit::TestPostgres;

use crate::fixture::{TestResult, get, get_json, job, post, queue};

/// Discards a job, reads each page, and retries the job on the board.
async fn the_board_serves(queue: Arc<dyn Admin>) -> Result<(), BoxError> {
    let router = Board::new(queue.clone()).access(|_| Access::act("ada")).payloads(show_all).router();
    let id = queue.enqueue(job("send", "{\"n\": 1.50}").queue("mail").meta("tenant", "acme")).await?.id();
    for delivery in queue.claim(&Demand::new("mail", 1)).await? {
        let discard = Transition::Discard { error: "refused".to_owned() };
        queue.settle(vec![Settlement::new(delivery.lease, discard)]).await?;
    }

    for path in [
        "/",
        "/workers",
        "/names",
        "/schedules",
        "/enqueue",
        "/jobs",
        &format!("/jobs/{id}"),
        &format!("/jobs/{id}/test"),
    ] {
        assert_eq!(get(&router, path).await?.status, StatusCode::OK, "{path}");
    }
    let found = get_json(&router, "/jobs?state=discarded&queue=mail&meta=tenant%3Dacme").await?;
    assert_eq!(found["jobs"][0]["payload"]["text"], "{\"n\": 1.50}");
    let prepared = post(&router, "/changes", "action=retry&queue=mail").await?;
    assert_eq!(get_json(&router, prepared.location()).await?["jobs"], 1);
    post(&router, &format!("/jobs/{id}/retry"), "").await?;
    post(&router, "/queues/mail/pause", "").await?;
    let page = get_json(&router, &format!("/jobs/{id}")).await?;

    assert_eq!(page["state"], State::Available.as_str());
    let reasons = page["reasons"].as_array().cloned().unwrap_or_default();
    assert!(reasons.iter().any(|reason| reason["reason"] == "paused"), "{reasons:?}");
    Ok(())
}

#[tokio::test]
async fn the_board_serves_a_queue_in_memory() -> TestResult {
    the_board_serves(Arc::new(queue())).await
}

#[tokio::test]
async fn the_board_serves_a_queue_in_a_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    the_board_serves(Arc::new(SqliteQueue::open(folder.path().join("jobs.db")).await?)).await
}

#[queue_testkit::test(postgres)]
async fn the_board_serves_a_queue_in_a_database(db: TestPostgres) -> TestResult {
    the_board_serves(Arc::new(db.queue().clone())).await
}
