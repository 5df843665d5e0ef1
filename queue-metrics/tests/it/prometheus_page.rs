//! Tests the page that Prometheus reads, as a router.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use queue_core::{QueueExt as _, background_job, jobs};
use queue_metrics::PrometheusPage;
use queue_tokio::{MemoryQueue, QueueService};
use tower::ServiceExt as _;

use crate::page::TestResult;
use crate::refusing::Refusing;

#[background_job(queue = "mail")]
async fn send() {}

async fn scrape(
    router: axum::Router,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let answer = router.oneshot(Request::get("/metrics").body(Body::empty())?).await?;
    let status = answer.status();
    Ok((status, String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await?.to_vec())?))
}

#[tokio::test]
async fn a_scrape_has_what_was_counted_and_what_the_stores_hold_now() -> TestResult {
    let (page, memory, other) = (PrometheusPage::new()?, MemoryQueue::new(), MemoryQueue::new());
    let router = page.router([Arc::new(memory.clone()) as _, Arc::new(other.clone()) as _]);
    page.count(memory.clone()).enqueue(send::new()).await?;
    QueueService::new(memory.clone(), jobs![send]).observe(page.clone()).run_until(memory.idle()).await?;
    other.enqueue(send::new()).queue("other").await?;

    let (status, text) = scrape(router).await?;

    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"queue_jobs_pushed_total{queue="mail",name="send",receipt="stored"} 1"#,
        r#"queue_attempts_total{queue="mail",name="send",outcome="complete"} 1"#,
        r#"queue_depth{queue="mail",state="available"} 0"#,
        r#"queue_depth{queue="other",state="available"} 1"#,
        r#"queue_attempt_seconds_bucket{queue="mail",name="send",outcome="complete",le="1800"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_said_in_place_of_old_gauges() -> TestResult {
    let page = PrometheusPage::new()?;

    let (status, text) = scrape(page.router([Arc::new(Refusing::Summary(MemoryQueue::new())) as _])).await?;

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("the disk is away"), "{text}");
    Ok(())
}
