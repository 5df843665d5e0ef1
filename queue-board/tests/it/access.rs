//! The access to the board, and the origin of changes (H49, H50).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, ORIGIN, X_FRAME_OPTIONS};
use axum::http::{Method, Request, StatusCode};
use queue_board::{Access, Board};
use queue_core::{Admin as _, BoxError, Event, JobId, Observer, OperatorAction, State};
use queue_tokio::MemoryQueue;

use crate::fixture::{TestResult, discarded, get, job, open_board, post, queue, send};

/// The routes that change something, with a form for each.
fn changes(id: JobId) -> Vec<(String, String)> {
    let of_job =
        ["retry", "cancel", "delete", "copy"].map(|action| (format!("/jobs/{id}/{action}"), String::new()));
    let others = [
        ("/selection/retry".to_owned(), format!("id={id}")),
        ("/selection/delete".to_owned(), format!("id={id}")),
        ("/queues/mail/pause".to_owned(), String::new()),
        ("/queues/mail/resume".to_owned(), String::new()),
        ("/schedules/pause".to_owned(), "group=shop&name=sync".to_owned()),
        ("/schedules/trigger".to_owned(), "group=shop&name=sync".to_owned()),
        ("/changes".to_owned(), "action=delete&state=discarded".to_owned()),
        ("/enqueue".to_owned(), "name=send&payload=1".to_owned()),
    ];
    of_job.into_iter().chain(others).collect()
}

/// Returns a queue with a discarded job.
async fn store() -> Result<(MemoryQueue, JobId), BoxError> {
    let queue = queue();
    let id = discarded(&queue, job("send", "1").queue("mail"), "refused").await?;
    Ok((queue, id))
}

async fn is_unchanged(queue: &MemoryQueue, id: JobId) -> Result<bool, BoxError> {
    let job = queue.get(id).await?;
    let summaries = queue.summary().await?;
    let jobs: u64 = summaries.iter().flat_map(|queue| State::ALL.map(|state| queue.of(state).jobs)).sum();
    Ok(job.is_some_and(|job| job.state == State::Discarded)
        && jobs == 1
        && summaries.iter().all(|queue| !queue.paused))
}

async fn peek(router: &Router, peer: &str, host: &str) -> Result<StatusCode, BoxError> {
    let peer = ConnectInfo(peer.parse::<SocketAddr>()?);
    let request = Request::get("/jobs").header(HOST, host).extension(peer).body(HttpBody::empty())?;
    Ok(send(router, request).await?.status)
}

/// H49: without a rule of access, only this machine sees the board, and it changes nothing.
#[tokio::test]
async fn a_board_without_a_rule_is_for_this_machine_and_read_only() -> TestResult {
    let (queue, id) = store().await?;
    let router = Board::new(Arc::new(queue.clone())).router();

    assert_eq!(peek(&router, "127.0.0.1:4000", "localhost:8080").await?, StatusCode::OK);
    assert_eq!(peek(&router, "192.0.2.7:4000", "localhost:8080").await?, StatusCode::FORBIDDEN);
    assert_eq!(peek(&router, "127.0.0.1:4000", "rebound.example").await?, StatusCode::FORBIDDEN);
    for (path, form) in changes(id) {
        assert_eq!(post(&router, &path, &form).await?.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(is_unchanged(&queue, id).await?);
    let page = get(&router, &format!("/jobs/{id}")).await?.text;
    assert!(page.contains("read-only") && !page.contains("method=\"post\""), "{page}");
    Ok(())
}

/// H49: a rule decides for each request whether it is refused, may look, or may act.
#[tokio::test]
async fn a_rule_decides_for_each_request() -> TestResult {
    let (queue, id) = store().await?;
    let rule = |request: &axum::http::request::Parts| match request
        .headers
        .get("x-user")
        .map(|user| user.as_bytes())
    {
        Some(b"ada") => Access::act("ada"),
        Some(_) => Access::Look,
        None => Access::Forbidden,
    };
    let router = Board::new(Arc::new(queue.clone())).access(rule).router();
    let retry = |user: Option<&str>| {
        let mut request = Request::post(format!("/jobs/{id}/retry"))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(user) = user {
            request = request.header("x-user", user);
        }
        request.body(HttpBody::empty())
    };

    assert_eq!(get(&router, "/").await?.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&router, retry(None)?).await?.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&router, retry(Some("bob"))?).await?.status, StatusCode::FORBIDDEN);
    assert!(is_unchanged(&queue, id).await?);
    assert_eq!(send(&router, retry(Some("ada"))?).await?.status, StatusCode::SEE_OTHER);
    assert!(!is_unchanged(&queue, id).await?);
    Ok(())
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<OperatorAction>>>);

impl Observer for Log {
    fn observe(&self, event: &Event) {
        if let Event::Operated(operation) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(operation.clone());
        }
    }
}

/// H49: the observer learns of each change, with its operator and without private values.
#[tokio::test]
async fn each_change_is_an_event_with_its_operator() -> TestResult {
    let (queue, id) = store().await?;
    let log = Log::default();
    let router = open_board(&queue).observe(log.clone()).router();

    post(&router, &format!("/jobs/{id}/retry"), "").await?;
    post(&router, &format!("/jobs/{id}/cancel"), "").await?;
    post(&router, "/queues/mail/pause", "").await?;
    post(&router, "/enqueue", "name=send&payload=%22secret%22&meta=tenant%3Dsecret").await?;

    let operations = log.0.lock().unwrap().clone();
    let actions: Vec<_> = operations.iter().map(|operation| operation.action.as_str()).collect();
    assert_eq!(actions, ["retry", "cancel", "pause", "enqueue"]);
    assert!(operations.iter().all(|operation| operation.operator == "ada" && operation.changed == 1));
    assert!(!format!("{operations:?}").contains("secret"));
    Ok(())
}

/// H50: no GET or HEAD request changes anything.
#[tokio::test]
async fn nothing_changes_by_get() -> TestResult {
    let (queue, id) = store().await?;
    let router = open_board(&queue).router();

    for (path, form) in changes(id) {
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(method).uri(format!("{path}?{form}"));
            send(&router, request.body(HttpBody::empty())?).await?;
        }
    }

    assert!(is_unchanged(&queue, id).await?);
    Ok(())
}

/// H50: a POST request that another site sends is refused, and so is one that does not say where it comes from.
#[tokio::test]
async fn a_change_from_another_site_is_refused() -> TestResult {
    let (queue, id) = store().await?;
    let router = open_board(&queue).router();
    let foreign: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ];

    for (path, form) in changes(id) {
        for headers in foreign {
            let mut request =
                Request::post(&path).header("content-type", "application/x-www-form-urlencoded");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = send(&router, request.body(HttpBody::from(form.clone()))?).await?;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    assert!(is_unchanged(&queue, id).await?);
    let own = Request::post(format!("/jobs/{id}/retry"))
        .header(ORIGIN, "http://localhost:8080")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(&router, own.body(HttpBody::empty())?).await?.status, StatusCode::SEE_OTHER);
    Ok(())
}

/// H50: each answer forbids foreign scripts and frames, an error as well.
#[tokio::test]
async fn each_answer_has_a_strict_policy() -> TestResult {
    let (queue, id) = store().await?;
    let router = open_board(&queue).router();

    for path in
        ["/", "/jobs", "/workers", "/names", "/enqueue", "/nothing", "/jobs/7", &format!("/jobs/{id}")]
    {
        let answer = get(&router, path).await?;
        let policy = answer
            .headers
            .get(CONTENT_SECURITY_POLICY)
            .and_then(|policy| policy.to_str().ok())
            .unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers.get(X_FRAME_OPTIONS).map(|value| value.as_bytes()), Some(&b"DENY"[..]));
    }
    Ok(())
}
