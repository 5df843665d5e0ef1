//! Payloads, results, meta and errors: which are shown, and how (H51).

use std::sync::Arc;

use axum::http::StatusCode;
use queue_board::{Access, Board, Private, hide_keys};
use queue_core::{BoxError, JobId, NewJob};
use queue_tokio::MemoryQueue;

use crate::fixture::{TestResult, completed, discarded, get, get_json, job, post, queue};

const SECRET: &str = "s3cret";

fn private() -> NewJob {
    job("send", r#"{"password":"s3cret","n":1.50}"#).meta("token", SECRET).unique(format!("key-{SECRET}"))
}

async fn store() -> Result<(MemoryQueue, [JobId; 2]), BoxError> {
    let queue = queue();
    let done = completed(&queue, private(), r#"{"password":"s3cret"}"#).await?;
    let failed = discarded(&queue, private(), "no user s3cret").await?;
    Ok((queue, [done, failed]))
}

/// Returns all that the board says about the jobs, in each form.
async fn said(board: Board, ids: [JobId; 2]) -> Result<String, BoxError> {
    let router = board.router();
    let mut said = String::new();
    let pages = ["/", "/jobs", "/names", "/workers", "/enqueue"].map(str::to_owned).into_iter();
    for path in pages.chain(ids.iter().flat_map(|id| [format!("/jobs/{id}"), format!("/jobs/{id}/test")])) {
        said += &get(&router, &path).await?.text;
        if !path.ends_with("/test") {
            said += &get_json(&router, &path).await?.to_string();
        }
    }
    Ok(said)
}

/// H51: payloads, results, unique keys and values of meta are hidden unless the board shows them, in each form of each page.
#[tokio::test]
async fn private_fields_are_hidden_by_default() -> TestResult {
    let (queue, ids) = store().await?;
    let board = || Board::new(Arc::new(queue.clone())).access(|_| Access::act("ada"));

    let said = said(board(), ids).await?;

    let without_errors = said.replace("no user s3cret", "");
    assert!(!without_errors.contains(SECRET), "{without_errors}");
    assert!(without_errors.contains("hidden, 30 bytes"), "the size is shown");
    let export = get(&board().router(), &format!("/jobs/{}/test", ids[0])).await?;
    assert_eq!(export.status, StatusCode::CONFLICT);
    let copy = post(&board().router(), &format!("/jobs/{}/copy", ids[0]), "payload=2").await?;
    assert_eq!(copy.status, StatusCode::CONFLICT);
    Ok(())
}

/// H51: a redactor sees each private field before it is shown: on pages, in JSON, in exports, in errors and in the reasons.
#[tokio::test]
async fn a_redactor_is_applied_everywhere() -> TestResult {
    let (queue, ids) = store().await?;
    let redact = |private: &Private<'_>| Some(private.text.replace(SECRET, "•••"));
    let board = Board::new(Arc::new(queue)).access(|_| Access::act("ada")).payloads(redact);

    let said = said(board, ids).await?;

    assert!(!said.contains(SECRET), "{said}");
    assert!(said.contains("no user •••") && said.contains("key-•••"));
    assert!(said.contains("kit.replay(JOB)"), "the export is there");
    Ok(())
}

/// H51: hidden keys are masked, and other values keep each digit.
#[tokio::test]
async fn the_values_of_hidden_keys_are_masked() -> TestResult {
    let (queue, ids) = store().await?;
    let board = || {
        let board = Board::new(Arc::new(queue.clone())).access(|_| Access::act("ada"));
        board.payloads(hide_keys(["password", "token"])).router()
    };

    let page = get_json(&board(), &format!("/jobs/{}", ids[0])).await?;

    assert_eq!(page["payload"]["text"], r#"{"password":"•••","n":1.50}"#);
    assert_eq!(page["result"]["text"], r#"{"password":"•••"}"#);
    assert_eq!(page["meta"][0][1]["text"], serde_json::Value::Null);
    let edited = post(&board(), &format!("/jobs/{}/copy", ids[0]), "payload=2").await?;
    assert_eq!(edited.status, StatusCode::CONFLICT, "masked values are never stored");
    let same = post(&board(), &format!("/jobs/{}/copy", ids[0]), "").await?;
    assert_eq!(same.status, StatusCode::SEE_OTHER);
    Ok(())
}

/// H51: a long payload is cut at 64 KiB, and the page says how long it is.
#[tokio::test]
async fn a_long_payload_is_cut() -> TestResult {
    let queue = queue();
    let text = format!("\"{}\"", "x".repeat(200_000));
    let id = completed(&queue, job("send", &text), "1").await?;
    let router = Board::new(Arc::new(queue)).payloads(queue_board::show_all).router();

    let page = get(&router, &format!("/jobs/{id}")).await?.text;

    assert!(page.contains("the first 64 KiB of 200,002 bytes"));
    assert!(page.len() < 100_000, "{} bytes", page.len());
    Ok(())
}
