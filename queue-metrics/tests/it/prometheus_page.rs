//! Tests the page that Prometheus reads, as a router.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use queue_core::admin::QueueSummary;
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{NewJob, Queue as _, QueueError, QueueExt as _, Receipt, background_job, jobs};
use queue_metrics::PrometheusPage;
use queue_tokio::{MemoryQueue, QueueService};
use tower::ServiceExt as _;

use crate::page::TestResult;

#[background_job(queue = "mail")]
async fn send() {}

/// A queue whose summary fails.
struct Unreadable(MemoryQueue);

#[async_trait]
impl Decorator for Unreadable {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.0.push(jobs).await
    }
}

#[async_trait]
impl AdminDecorator for Unreadable {
    async fn summary_up_to(&self, _cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        Err(QueueError::unavailable("the disk is away"))
    }
}

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

    let (status, text) = scrape(page.router([Arc::new(Unreadable(MemoryQueue::new())) as _])).await?;

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("the disk is away"), "{text}");
    Ok(())
}
