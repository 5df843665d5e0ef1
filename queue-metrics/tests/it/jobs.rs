//! Tests the metrics of jobs: pushes, attempts, waits, and jobs that a program cannot run. H47.

use std::time::Duration;

use queue_core::{
    Body, Demand, JobContext, JobError, NewJob, Queue as _, QueueExt as _, Unique, background_job, jobs,
};
use queue_tokio::{MemoryQueue, QueueService};

use crate::page::{Page, TestResult};

#[background_job(queue = "mail", max_attempts = 2, backoff = fixed("3s"))]
async fn send(#[inject] context: &JobContext, how: &str) -> Result<(), JobError> {
    match how {
        "chain" => context.then(archive::new()),
        "fail" => return Err("refused".into()),
        "cancel" => return Err(JobError::cancel("not needed")),
        _ => {}
    }
    Ok(())
}

#[background_job]
async fn archive() {}

/// Runs everything that was pushed, with virtual time.
async fn run(page: &Page, queue: &MemoryQueue) -> TestResult {
    let service = QueueService::new(queue.clone(), jobs![send, archive]).queues(["mail", "default"]);
    service.observe(page.metrics.clone()).run_until(queue.idle()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn pushes_are_counted_by_receipt_and_followups_too() -> TestResult {
    let (page, memory) = (Page::new(), MemoryQueue::new());
    let queue = page.metrics.count(memory.clone());

    queue.enqueue(send::new("chain")).await?;
    queue.enqueue(send::new("a")).unique("a").await?;
    queue.enqueue(send::new("b")).unique("a").await?;
    queue.enqueue(send::new("c")).unique(Unique::new("a").replace()).await?;
    queue.push(vec![archive::new().into(), archive::new().into()]).await?;
    run(&page, &memory).await?;

    let pushed = |queue: &str, name: &str, receipt: &str| {
        page.value(&format!(
            r#"queue_jobs_pushed_total{{queue="{queue}",name="{name}",receipt="{receipt}"}}"#
        ))
    };
    let receipts = ["stored", "existing", "replaced", "followup"];
    assert_eq!(receipts.map(|receipt| pushed("mail", "send", receipt)), [2.0, 1.0, 1.0, 0.0].map(Some));
    assert_eq!(receipts.map(|receipt| pushed("default", "archive", receipt)), [2.0, 0.0, 0.0, 1.0].map(Some));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_and_timed_by_transition() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());

    queue.enqueue_all(["", "", "fail", "cancel"].map(send::new)).await?;
    run(&page, &queue).await?;

    for (outcome, count) in [("complete", 2.0), ("retry", 1.0), ("discard", 1.0), ("cancel", 1.0)] {
        let labels = format!(r#"queue="mail",name="send",outcome="{outcome}""#);
        assert_eq!(page.value(&format!("queue_attempts_total{{{labels}}}")), Some(count), "{outcome}");
        assert_eq!(page.value(&format!("queue_attempt_seconds_count{{{labels}}}")), Some(count), "{outcome}");
    }
    let stale = page.value(r#"queue_attempts_total{queue="mail",name="send",outcome="stale"}"#);
    assert_eq!(stale, Some(0.0), "a counter begins at zero");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_worker_died_at_its_last_attempt_counts_as_discarded() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    queue.enqueue(send::new("")).max_attempts(1).await?;
    let died = queue.claim(&Demand::new("mail", 1).lease(Duration::from_secs(1))).await?;
    tokio::time::advance(Duration::from_secs(2)).await;

    run(&page, &queue).await?;

    let discarded = page.value(r#"queue_attempts_total{queue="mail",name="send",outcome="discard"}"#);
    assert_eq!((died.len(), discarded), (1, Some(1.0)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_recorded_for_first_attempts_only() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());

    queue.enqueue(send::new("fail")).delay(Duration::from_secs(2)).await?;
    tokio::time::advance(Duration::from_secs(9)).await;
    run(&page, &queue).await?;

    let wait = |part: &str| page.value(&format!(r#"queue_wait_seconds_{part}{{queue="mail",name="send"}}"#));
    assert_eq!((wait("count"), wait("sum").map(f64::floor)), (Some(1.0), Some(7.0)), "{}", page.text());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn jobs_that_a_program_cannot_run_are_counted_by_name() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    let unknown = queue.enqueue(NewJob::new("of_tomorrow", Body::stored("{}"))).await?.id();
    queue.enqueue(NewJob::new("send", Body::stored("[]")).queue("mail")).await?;

    let service = QueueService::new(queue.clone(), jobs![send, archive]).queues(["mail", "default"]);
    let cancelled = async {
        let counted = || page.value(r#"queue_unknown_jobs_total{name="of_tomorrow"}"#).is_some();
        while !counted() {
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        queue_core::Admin::cancel(&queue, unknown, "this program does not know it").await?;
        queue.idle().await;
        Ok::<_, queue_core::QueueError>(())
    };
    service.observe(page.metrics.clone()).run_until(async { cancelled.await.unwrap() }).await?;

    assert_eq!(page.value(r#"queue_undecodable_total{name="send"}"#), Some(1.0));
    assert!(page.value(r#"queue_unknown_jobs_total{name="of_tomorrow"}"#) >= Some(1.0));
    Ok(())
}

/// H47: no label is an id, a payload, a unique key or a value of meta.
#[tokio::test(start_paused = true)]
async fn no_label_is_an_id_a_payload_a_key_or_meta() -> TestResult {
    let (page, memory) = (Page::new(), MemoryQueue::new());
    let queue = page.metrics.count(memory.clone());

    let id = queue.enqueue(send::new("fail")).meta("tenant", "s3cret").unique("s3cret").await?.id();
    run(&page, &memory).await?;

    let text = page.text();
    for private in [id.to_string().as_str(), "s3cret", "tenant", "refused"] {
        assert!(!text.contains(private), "{private} is on the page: {text}");
    }
    Ok(())
}
