//! Tests the gauges of what limits hold back: H47.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin, Demand, Limit, LimitScope, QueueExt as _, QueueLimits, QueueName, background_job};
use queue_sqlite::SqliteQueue;
use queue_tokio::MemoryQueue;

use crate::page::{Page, TestResult};
use crate::refusing::Refusing;

const HOUR: Duration = Duration::from_secs(3600);

#[background_job(queue = "mail", partition = "{tenant}")]
async fn send(tenant: &str) {}

/// Returns the numbers of held jobs and of partitions at their limit, by `running` and by `rate`.
fn held(page: &Page) -> [(Option<f64>, Option<f64>); 2] {
    ["running", "rate"].map(|limit| {
        let value = |name| page.value(&format!(r#"{name}{{queue="mail",limit="{limit}"}}"#));
        (value("queue_held_by_limit"), value("queue_partitions_at_limit"))
    })
}

/// Stores jobs of four tenants, and starts those that limits let start. Of the ready jobs, the limits hold 7 back by the number of
/// running jobs and 2 by the rate, and one waits for a worker.
async fn fill(queue: &dyn Admin) -> TestResult {
    let limits = QueueLimits::each(Limit::running(2))
        .and_partition("hooli", Limit::running(0))
        .and_partition("umbra", Limit::starts(1, HOUR));
    queue.declare_limits(&"mail".into(), &limits).await?;
    for (tenant, jobs) in [("acme", 5), ("hooli", 4), ("umbra", 3), ("zeta", 1)] {
        queue.enqueue_all((0..jobs).map(|_| send::new(tenant))).await?;
    }
    let started = queue.claim(&Demand::new("mail", 100).lease(HOUR)).await?;
    assert_eq!(started.len(), 4, "two jobs of `acme`, one of `umbra` and one of `zeta`");
    queue.enqueue(send::new("zeta")).await?;
    Ok(())
}

/// Samples a queue while limits hold its jobs back, after the queue has got a limit as a whole, and after its limits were removed.
async fn sample_limits(queue: Arc<dyn Admin>) -> TestResult {
    let (page, mail) = (Page::new(), QueueName::from("mail"));
    let (sampler, queue): (_, &dyn Admin) = (page.metrics.sampler(queue.clone()), &*queue);
    fill(queue).await?;

    sampler.sample().await?;
    assert_eq!(held(&page), [(Some(7.0), Some(2.0)), (Some(2.0), Some(1.0))], "{}", page.text());
    assert_eq!(page.value(r#"queue_depth{queue="mail",state="available"}"#), Some(10.0));
    for partition in ["acme", "hooli", "umbra", "zeta"] {
        assert!(!page.text().contains(partition), "{partition} is on the page: {}", page.text());
    }

    queue.set_limit(&mail, &LimitScope::Total, Some(Limit::running(4))).await?;
    sampler.sample().await?;
    assert_eq!(
        held(&page),
        [(Some(8.0), Some(2.0)), (Some(2.0), Some(1.0))],
        "no job of the queue may start"
    );

    queue.set_limit(&mail, &LimitScope::Total, None).await?;
    queue.declare_limits(&mail, &QueueLimits::none()).await?;
    sampler.sample().await?;
    assert_eq!(held(&page), [(Some(0.0), Some(0.0)); 2], "the queue has no limits any more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_jobs_that_limits_hold_back_are_read_from_memory() -> TestResult {
    sample_limits(Arc::new(MemoryQueue::new())).await
}

#[tokio::test]
async fn the_jobs_that_limits_hold_back_are_read_from_a_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    sample_limits(Arc::new(SqliteQueue::open(folder.path().join("jobs.db")).await?)).await
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_limits_has_no_gauges_of_limits() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    queue.enqueue(send::new("acme")).await?;

    page.metrics.sampler(Arc::new(queue)).sample().await?;

    assert_eq!(page.lines("queue_depth").len(), 5);
    assert_eq!(page.lines("queue_held_by_limit").len() + page.lines("queue_partitions_at_limit").len(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_no_limits_is_sampled_without_them() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    queue.enqueue(send::new("acme")).await?;

    page.metrics.sampler(Arc::new(Refusing::Limits(queue))).sample().await?;

    assert_eq!(page.value(r#"queue_depth{queue="mail",state="available"}"#), Some(1.0));
    Ok(())
}
