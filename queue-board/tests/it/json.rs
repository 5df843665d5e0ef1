//! Each page as JSON at its own address.

use axum::body::Body as HttpBody;
use axum::http::Request;
use axum::http::header::ACCEPT;

use crate::fixture::{TestResult, completed, discarded, get_json, job, open_board, queue, send};

#[tokio::test]
async fn each_page_is_json_at_the_same_address() -> TestResult {
    let queue = queue();
    completed(&queue, job("send", "{\"user\": 1.50}").queue("mail").meta("tenant", "acme"), "7").await?;
    let id = discarded(&queue, job("bill", "2"), "no such user").await?;
    let router = open_board(&queue).router();

    let now = get_json(&router, "/").await?;
    let jobs = get_json(&router, "/jobs?state=completed&meta=tenant%3Dacme").await?;
    let one = get_json(&router, &format!("/jobs/{id}")).await?;
    let names = get_json(&router, "/names").await?;
    let workers = get_json(&router, "/workers").await?;

    assert_eq!(now["queues"][1]["queue"], "mail");
    assert_eq!(now["queues"][1]["counts"]["completed"]["jobs"], 1);
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(jobs["jobs"][0]["payload"]["text"], "{\"user\": 1.50}");
    assert_eq!((&one["name"], &one["state"]), (&"bill".into(), &"discarded".into()));
    assert_eq!(one["reasons"][0]["reason"], "finished");
    assert_eq!(names["names"][0]["errors"][0]["text"], "no such user");
    assert!(workers["executing"].is_array());
    Ok(())
}

#[tokio::test]
async fn a_list_goes_on_after_its_cursor() -> TestResult {
    let queue = queue();
    for number in 0..5 {
        completed(&queue, job("send", &number.to_string()), "1").await?;
    }
    let router = open_board(&queue).router();
    let mut path = "/jobs?sort=pushed&order=oldest&limit=2".to_owned();
    let mut payloads = Vec::new();

    loop {
        let page = get_json(&router, &path).await?;
        let jobs = page["jobs"].as_array().cloned().unwrap_or_default();
        payloads.extend(jobs.iter().filter_map(|job| job["payload"]["text"].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/jobs?sort=pushed&order=oldest&limit=2&after={next}");
    }

    assert_eq!(payloads, ["0", "1", "2", "3", "4"]);
    Ok(())
}

#[tokio::test]
async fn an_error_is_json_too() -> TestResult {
    let router = open_board(&queue()).router();
    let cases = [
        ("/jobs/00000000-0000-0000-0000-000000000000", 404, "there is no job"),
        ("/jobs?state=done", 400, "`done` is not a state"),
        ("/jobs?after=nonsense", 400, "is not a cursor"),
        ("/nothing", 404, "no such page"),
    ];

    for (path, status, text) in cases {
        let request = Request::get(path).header(ACCEPT, "application/json").body(HttpBody::empty())?;
        let answer = send(&router, request).await?;
        let error: serde_json::Value = serde_json::from_str(&answer.text)?;
        assert_eq!(answer.status, status, "{path}");
        assert!(error["error"].as_str().is_some_and(|error| error.contains(text)), "{path}: {error}");
    }
    Ok(())
}
