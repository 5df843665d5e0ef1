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
        "/limits",
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

/// Stores a rare job and more jobs than a page searches. The page says how far it has searched, and its button goes on to the job.
async fn a_rare_job_is_found_by_searching_further(queue: Arc<dyn Admin>) -> Result<(), BoxError> {
    queue.enqueue(job("rare", "{}").meta("tenant", "acme")).await?;
    for _ in 0..3 {
        queue.push((0..5_000).map(|_| job("common", "{}")).collect()).await?;
    }
    let router = Board::new(queue).access(|_| Access::Look).router();

    for filter in ["name=rare", "meta=tenant%3Dacme", "name=rare&state=available&order=newest"] {
        let first = get(&router, &format!("/jobs?{filter}")).await?.text;
        let found = get_json(&router, &format!("/jobs?{filter}")).await?;
        let next = found["next"].as_str().ok_or("the search does not go on")?;
        let further = get_json(&router, &format!("/jobs?{filter}&after={next}")).await?;

        assert!(first.contains("No job matches among those that were searched"), "{first}");
        assert!(first.contains("searched back to ") && first.contains("Search further"), "{first}");
        assert!(found["searched_until"].is_i64(), "{filter}: {found}");
        assert_eq!(further["jobs"].as_array().map(Vec::len), Some(1), "{filter}: {further}");
        assert!(further["next"].is_null() && further["searched_until"].is_null(), "{filter}");
    }
    Ok(())
}

/// H53: a page in a file ends its search.
#[tokio::test]
async fn a_rare_job_in_a_file_is_found_by_searching_further() -> TestResult {
    let folder = tempfile::tempdir()?;
    let queue = SqliteQueue::open(folder.path().join("jobs.db")).await?;
    a_rare_job_is_found_by_searching_further(Arc::new(queue)).await
}

/// H53: a page in a database ends its search.
#[queue_testkit::test(postgres)]
async fn a_rare_job_in_a_database_is_found_by_searching_further(db: TestPostgres) -> TestResult {
    a_rare_job_is_found_by_searching_further(Arc::new(db.queue().clone())).await
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
