//! The page of schedules.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use queue_board::{Access, Board};
use queue_core::admin::Filter;
use queue_core::{
    Admin, AdminExt as _, BoxError, NewJob, OperatorAction, Recurrence, State, background_job, jobs,
};
use queue_schedules::Schedules;
use queue_sqlite::SqliteQueue;
use queue_testkit::{Recorder, TestPostgres};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::time::{Instant, sleep_until};

use crate::fixture::{TestResult, get, get_json, job, open_board, post, queue};

#[background_job]
async fn sync() {}

fn hourly() -> Recurrence {
    Recurrence::every(Duration::from_secs(3_600))
}

/// Runs schedules and their jobs for a time.
async fn run_for(queue: &MemoryQueue, schedules: Schedules, time: Duration) -> TestResult {
    let host =
        Host::builder().service(QueueService::new(queue.clone(), jobs![sync])).service(schedules).build()?;
    let running = host.start().await?;
    sleep_until(Instant::now() + time).await; // virtual
    running.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_schedule_shows_its_words_its_next_ticks_and_what_became_of_the_last_ones() -> TestResult {
    let queue = queue();
    let schedules = Schedules::new("shop", queue.clone()).schedule("sync", hourly(), sync::new());
    run_for(&queue, schedules, Duration::from_secs(3 * 3_600)).await?;
    let router = open_board(&queue).router();

    let page = get(&router, "/schedules").await?.text;
    let json = get_json(&router, "/schedules").await?;

    for text in ["every hour", "sync", "Pause", "Trigger", "The last 12 ticks: 3 completed, 9 without a job"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    let one = &json["schedules"][0];
    assert_eq!(
        (&one["group"], &one["name"], &one["words"]),
        (&"shop".into(), &"sync".into(), &"every hour".into())
    );
    assert_eq!(
        (one["next"].as_array().map(Vec::len), one["recent"].as_array().map(Vec::len)),
        (Some(5), Some(12))
    );
    assert_eq!((&one["last"]["state"], &one["recent"][11]), (&"completed".into(), &one["last"]));
    assert!(page.contains(&format!("/jobs/{}", one["last"]["job"].as_str().unwrap_or("none"))), "{page}");
    Ok(())
}

/// H39: on each store.
async fn the_page_pauses_resumes_and_triggers(queue: Arc<dyn Admin>) -> Result<(), BoxError> {
    let schedules = Schedules::new("shop", queue.clone());
    schedules.put("customer/4 2", hourly(), job("send", "1").queue("mail")).await?;
    let recorder = Recorder::new();
    let board = Board::new(queue.clone()).access(|_| Access::act("ada")).observe(recorder.clone());
    let router = board.router();
    let form = "group=shop&name=customer%2F4+2";

    let paused = post(&router, "/schedules/pause", form).await?;
    assert_eq!((paused.status, paused.location()), (StatusCode::SEE_OTHER, "/schedules?group=shop"));
    assert!(get(&router, paused.location()).await?.text.contains("Resume"));
    assert!(schedules.list().await?[0].is_paused);
    post(&router, "/schedules/resume", form).await?;
    let triggered = post(&router, "/schedules/trigger", form).await?;
    let job = queue.list_all(&Filter::all().name("send")).await?;
    assert_eq!((job.len(), job[0].state), (1, State::Available));
    assert_eq!(triggered.location(), format!("/jobs/{}", job[0].id));
    let again = post(&router, "/schedules/trigger", form).await?;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    let unknown = post(&router, "/schedules/pause", "group=shop&name=other").await?;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let wrong = post(&router, "/schedules/pause", "group=a%2Fb&name=x").await?;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    let operated = |action: &str| OperatorAction::new("ada", action, "schedule `shop/customer/4 2`", 1);
    for action in ["pause", "resume", "trigger"] {
        let is_it = |event: &queue_core::Event| matches!(event, queue_core::Event::Operated(it) if *it == operated(action));
        assert_eq!(recorder.count(is_it), 1, "{action}");
    }
    Ok(())
}

#[tokio::test]
async fn schedules_change_on_the_page_in_memory() -> TestResult {
    the_page_pauses_resumes_and_triggers(Arc::new(queue())).await
}

#[tokio::test]
async fn schedules_change_on_the_page_in_a_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    the_page_pauses_resumes_and_triggers(Arc::new(SqliteQueue::open(folder.path().join("jobs.db")).await?))
        .await
}

#[queue_testkit::test(postgres)]
async fn schedules_change_on_the_page_in_a_database(db: TestPostgres) -> TestResult {
    the_page_pauses_resumes_and_triggers(Arc::new(db.queue().clone())).await
}

#[tokio::test]
async fn many_schedules_are_shown_page_by_page_and_group_by_group() -> TestResult {
    let queue = queue();
    let declared = Schedules::new("shop", queue.clone()).schedule("declared", hourly(), sync::new());
    declared.apply().await?;
    for number in 0..60 {
        declared.put(format!("customer-{number}"), hourly(), NewJob::from(sync::new())).await?;
    }
    Schedules::new("other", queue.clone()).put("theirs", hourly(), sync::new()).await?;
    let router = open_board(&queue).router();
    let (mut path, mut names) = ("/schedules?group=shop".to_owned(), Vec::new());

    loop {
        let page = get_json(&router, &path).await?;
        let schedules = page["schedules"].as_array().cloned().unwrap_or_default();
        assert!(schedules.len() <= 25);
        names.extend(schedules.iter().filter_map(|schedule| schedule["name"].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/schedules?group=shop&after={next}");
    }

    assert_eq!((names.len(), &*names[0]), (61, "declared"));
    let first = get(&router, "/schedules").await?.text;
    assert!(first.contains("theirs") && first.contains("/schedules?group=shop"), "{first}");
    assert_eq!(get(&router, "/schedules?after=nowhere").await?.status, StatusCode::BAD_REQUEST);
    Ok(())
}

#[tokio::test]
async fn a_reader_sees_no_button() -> TestResult {
    let queue = queue();
    Schedules::new("shop", queue.clone()).put("sync", hourly(), sync::new()).await?;
    let router = Board::new(Arc::new(queue)).access(|_| Access::Look).router();

    let page = get(&router, "/schedules").await?.text;

    assert!(page.contains("every hour") && !page.contains("<form class=\"inline\""), "{page}");
    Ok(())
}
