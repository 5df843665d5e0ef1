//! Changes to many jobs: their number first, then those jobs only, with progress and a stop (H52).

use std::sync::atomic::Ordering;

use axum::Router;
use axum::http::StatusCode;
use queue_board::{Access, Board};
use queue_core::admin::Filter;
use queue_core::{Admin as _, AdminExt as _, BoxError, Queue as _, State};
use queue_tokio::MemoryQueue;

use crate::fixture::{Stepwise, TestResult, get, get_json, job, open_board, post, queue};

async fn fill(queue: &MemoryQueue, jobs: usize) -> TestResult {
    queue.push((0..jobs).map(|number| job("send", &number.to_string()).queue("mail")).collect()).await?;
    Ok(())
}

async fn number(queue: &MemoryQueue, state: State) -> Result<usize, BoxError> {
    Ok(queue.list_all(&Filter::all().state(state)).await?.len())
}

/// Waits until the change has this phase. Each poll yields to the task of the change.
async fn until(router: &Router, path: &str, phase: &str) -> Result<serde_json::Value, BoxError> {
    for _ in 0..100_000 {
        let change = get_json(router, path).await?;
        if change["phase"] == phase {
            return Ok(change);
        }
        tokio::task::yield_now().await;
    }
    Err(format!("{path} does not reach {phase}: {}", get_json(router, path).await?).into())
}

/// H52: a change says how many jobs it means, and acts on those that matched then.
#[tokio::test]
async fn a_change_acts_on_the_jobs_that_matched_when_it_said_their_number() -> TestResult {
    let queue = queue();
    fill(&queue, 1_000).await?;
    let router = open_board(&queue).router();

    let prepared = post(&router, "/changes", "action=cancel&queue=mail").await?;
    let path = prepared.location().to_owned();
    let page = get(&router, &path).await?.text;
    fill(&queue, 10).await?;
    let untouched = number(&queue, State::Cancelled).await?;
    post(&router, &format!("{path}/start"), "").await?;
    let done = until(&router, &path, "done").await?;

    assert_eq!(prepared.status, StatusCode::SEE_OTHER);
    assert!(page.contains("Cancel 1,000 jobs"), "{page}");
    assert_eq!(untouched, 0, "the number is shown before anything changes");
    assert_eq!((&done["changed"], &done["jobs"]), (&1_000.into(), &1_000.into()));
    assert_eq!(number(&queue, State::Cancelled).await?, 1_000);
    assert_eq!(number(&queue, State::Available).await?, 10);
    Ok(())
}

/// H52: a change shows its progress, and a stop ends it after its current step.
#[tokio::test]
async fn a_change_shows_its_progress_and_can_be_stopped() -> TestResult {
    let queue = queue();
    fill(&queue, 1_000).await?;
    let stepwise = Stepwise::new(&queue, 1);
    let router = Board::new(stepwise.clone()).access(|_| Access::act("ada")).router();
    let path = post(&router, "/changes", "action=cancel&queue=mail").await?.location().to_owned();

    post(&router, &format!("{path}/start"), "").await?;
    let running = loop {
        let change = until(&router, &path, "running").await?;
        if change["visited"] != 0 {
            break change;
        }
        tokio::task::yield_now().await;
    };
    post(&router, &format!("{path}/stop"), "").await?;
    stepwise.permits.add_permits(10);
    let stopped = until(&router, &path, "stopped").await?;

    assert_eq!((&running["changed"], &running["jobs"]), (&250.into(), &1_000.into()));
    assert_eq!(stopped["changed"], 500);
    assert_eq!(number(&queue, State::Available).await?, 500);
    assert_eq!(stepwise.steps.load(Ordering::Relaxed), 2);
    Ok(())
}

/// H52: a change without a state means the jobs that its action is for.
#[tokio::test]
async fn a_retry_of_all_jobs_means_the_discarded_ones() -> TestResult {
    let queue = queue();
    fill(&queue, 3).await?;
    crate::fixture::discarded(&queue, job("send", "1"), "refused").await?;
    crate::fixture::completed(&queue, job("send", "1"), "1").await?;
    let router = open_board(&queue).router();

    for (action, jobs) in [("retry", 1), ("cancel", 3), ("delete", 2)] {
        let path = post(&router, "/changes", &format!("action={action}")).await?.location().to_owned();
        assert_eq!(get_json(&router, &path).await?["jobs"], jobs, "{action}");
    }
    Ok(())
}

#[tokio::test]
async fn selected_jobs_are_changed_at_once() -> TestResult {
    let queue = queue();
    let first = crate::fixture::discarded(&queue, job("send", "1"), "refused").await?;
    let second = crate::fixture::discarded(&queue, job("send", "2"), "refused").await?;
    let router = open_board(&queue).router();

    let form = format!("id={first}&list=state%3Ddiscarded");
    let answer = post(&router, "/selection/retry", &form).await?;

    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/jobs?state=discarded"));
    let state = async |id| queue.get(id).await.map(|job| job.map(|job| job.state));
    assert_eq!(state(first).await?, Some(State::Available));
    assert_eq!(state(second).await?, Some(State::Discarded));
    Ok(())
}
