//! The page of limits, and the changes on it.

use std::time::Duration;

use axum::http::StatusCode;
use queue_core::admin::UsageRequest;
use queue_core::{Admin as _, Demand, Limit, LimitScope, Queue as _, QueueExt as _, QueueLimits};
use queue_tokio::MemoryQueue;

use crate::fixture::{TestResult, get, get_json, job, open_board, post, queue};

async fn limited() -> Result<MemoryQueue, queue_core::BoxError> {
    let queue = queue();
    let limits = QueueLimits::each(Limit::running(2).and_starts(100, Duration::from_secs(60)))
        .and_total(Limit::running(9));
    queue.declare_limits(&"webhooks".into(), &limits).await?;
    queue.enqueue(job("plain", "1")).await?;
    for tenant in ["acme", "acme", "zeta"] {
        queue.enqueue(job("call", "1").queue("webhooks").partition(tenant)).await?;
    }
    queue.claim(&Demand::new("webhooks", 1).worker("web-1/7/hooks").wait(Duration::ZERO)).await?;
    Ok(queue)
}

#[tokio::test]
async fn the_page_has_each_queue_with_limits_and_its_fullest_partitions_first() -> TestResult {
    let queue = limited().await?;
    let router = open_board(&queue).router();

    let page = get(&router, "/limits").await?;
    let json = get_json(&router, "/limits").await?;

    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("limits-default"), "a queue without limits and partitions is left out");
    let (acme, zeta) = (page.text.find("limit-webhooks-of-acme"), page.text.find("limit-webhooks-of-zeta"));
    assert!(acme.is_some() && acme < zeta, "{}", page.text);
    assert!(page.text.contains("2 at once, 100 starts per 60s"), "{}", page.text);
    assert!(page.text.contains("/jobs?queue=webhooks&amp;partition=acme"), "{}", page.text);
    assert_eq!(json["queues"][0]["total"]["running"], 1);
    assert_eq!(json["queues"][0]["partitions"][0]["partition"], "acme");
    let found = get_json(&router, "/jobs?queue=webhooks&partition=zeta").await?;
    assert_eq!(found["jobs"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn an_operator_sets_a_limit_and_takes_it_back() -> TestResult {
    let queue = limited().await?;
    let router = open_board(&queue).router();
    let usage = || async {
        queue
            .usage(&UsageRequest::of("webhooks").partition("acme"))
            .await
            .map(|usage| usage.partitions[0].usage.limit)
    };

    let answer =
        post(&router, "/queues/webhooks/set_limit", "scope=partition&partition=acme&running=7").await?;
    assert_eq!(answer.location(), "/limits#limits-webhooks");
    assert_eq!(usage().await?, Limit::running(7));
    let each = post(&router, "/queues/webhooks/set_limit", "scope=each&partition=&running=3").await?;
    assert_eq!(each.status, StatusCode::SEE_OTHER);
    let limits = queue.limits(&"webhooks".into()).await?;
    let each = limits.iter().find(|record| record.scope == LimitScope::Each).and_then(|record| record.set);
    assert_eq!(
        each,
        Some(Limit::running(3).and_starts(100, Duration::from_secs(60))),
        "the rate of the declared limit stays"
    );

    post(&router, "/queues/webhooks/unset_limit", "scope=partition&partition=acme").await?;
    assert_eq!(usage().await?.running, Some(3));
    let refused = post(&router, "/queues/webhooks/set_limit", "scope=each&running=many").await?;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let refused = post(&router, "/queues/webhooks/set_limit", "scope=some&running=1").await?;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    Ok(())
}

#[tokio::test]
async fn a_job_that_a_limit_holds_says_so() -> TestResult {
    let queue = limited().await?;
    queue.set_limit(&"webhooks".into(), &LimitScope::One("acme".into()), Some(Limit::running(1))).await?;
    let held = queue.matching(&queue_core::admin::Filter::all().partition("acme")).await?;
    let router = open_board(&queue).router();

    let page = get(&router, &format!("/jobs/{}", held[1])).await?.text;

    assert!(page.contains("partition <b>acme</b> of the queue <b>webhooks</b> is at its limit: 1 of 1 running, held by <code>web-1/7/hooks</code>"), "{page}");
    Ok(())
}
