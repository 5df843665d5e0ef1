//! Tests that gauges are read from the store: H47.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    Admin, Announcement, Demand, Queue as _, QueueExt as _, QueueName, Settlement, Transition, background_job,
};
use queue_sqlite::SqliteQueue;
use queue_tokio::{MemoryQueue, TokioClock};

use crate::page::{Page, TestResult};

#[background_job(queue = "mail")]
async fn send() {}

const GAUGES: [&str; 3] = ["queue_depth", "queue_oldest_ready", "queue_paused"];

fn depth(page: &Page, state: &str) -> Option<f64> {
    page.value(&format!(r#"queue_depth{{queue="mail",state="{state}"}}"#))
}

/// Stores jobs in several states: one is ready, one scheduled, one runs, one was discarded, one was completed.
async fn fill(queue: &dyn Admin) -> TestResult {
    queue.enqueue_all([send::new(), send::new(), send::new()]).await?;
    let mut claimed = queue.claim(&Demand::new("mail", 3)).await?;
    let discarded = Transition::Discard { error: "it rained".to_owned() };
    let ends = [(0, discarded), (0, Transition::complete())];
    let settlements =
        ends.map(|(place, transition)| Settlement::new(claimed.remove(place).lease, transition));
    queue.settle(settlements.to_vec()).await?;
    queue.enqueue(send::new()).delay(Duration::from_secs(3600)).await?;
    queue.enqueue(send::new()).await?;
    queue.pause(&QueueName::from("mail")).await?;
    Ok(())
}

/// H47: each process reports the same gauges, also one that has run no job, and reads them again at each sample.
#[tokio::test]
async fn any_number_of_processes_report_the_same() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("jobs.db");
    let processes: [Arc<dyn Admin>; 2] =
        [Arc::new(SqliteQueue::open(&file).await?), Arc::new(SqliteQueue::open(&file).await?)];
    let pages = [Page::new(), Page::new()];
    fill(&*processes[0]).await?;

    for (page, queue) in pages.iter().zip(&processes) {
        page.metrics.sampler(queue.clone()).sample().await?;
    }

    for page in &pages {
        let states = ["available", "scheduled", "executing", "discarded", "retryable"];
        assert_eq!(
            states.map(|state| depth(page, state)),
            [1.0, 1.0, 1.0, 1.0, 0.0].map(Some),
            "{}",
            page.text()
        );
        assert_eq!(page.value(r#"queue_paused{queue="mail"}"#), Some(1.0));
    }
    assert_eq!(
        GAUGES.map(|gauge| pages[0].lines(gauge).len()),
        GAUGES.map(|gauge| pages[1].lines(gauge).len())
    );
    Ok(())
}

/// H47: the age of the oldest ready job is that of the store's clock, and zero if no job is ready.
#[tokio::test(start_paused = true)]
async fn the_age_of_the_oldest_ready_job_is_read() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    let sampler = page.metrics.sampler(Arc::new(queue.clone()));
    let age = || page.value(r#"queue_oldest_ready_seconds{queue="mail"}"#);
    queue.enqueue(send::new()).await?;
    tokio::time::advance(Duration::from_secs(42)).await;

    sampler.sample().await?;
    assert_eq!(age(), Some(42.0));
    queue.claim(&Demand::new("mail", 1)).await?;
    sampler.sample().await?;

    assert_eq!(age(), Some(0.0));
    Ok(())
}

/// H47: the workers of a service are those of all processes that live, as the store knows them.
#[tokio::test(start_paused = true)]
async fn the_workers_of_all_processes_are_read() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    let sampler = page.metrics.sampler(Arc::new(queue.clone()));
    let workers = || {
        let value = |name| page.value(&format!(r#"{name}{{service="mails"}}"#));
        (value("queue_workers"), value("queue_workers_busy"))
    };
    for (worker, running, seconds) in [("host/1/mails", 3, 10), ("host/2/mails", 16, 60)] {
        let mut announcement = Announcement::new(worker.into());
        (announcement.service, announcement.concurrency, announcement.running) =
            ("mails".into(), 16, running);
        announcement.valid_for = Duration::from_secs(seconds);
        queue.announce(&announcement).await?;
    }

    sampler.sample().await?;
    assert_eq!(workers(), (Some(32.0), Some(19.0)));
    tokio::time::advance(Duration::from_secs(30)).await;
    sampler.sample().await?;
    assert_eq!(workers(), (Some(16.0), Some(16.0)), "one process has died");
    tokio::time::advance(Duration::from_secs(7200)).await;
    sampler.sample().await?;

    assert_eq!(workers(), (Some(0.0), Some(0.0)), "the store has forgotten the service");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_sampler_reads_the_store_at_each_interval() -> TestResult {
    let (page, queue) = (Page::new(), MemoryQueue::new());
    let sampler = page.metrics.sampler(Arc::new(queue.clone()));
    let run = tokio::spawn(sampler.run(Duration::from_secs(15), TokioClock::new()));

    queue.enqueue(send::new()).await?;
    tokio::time::sleep(Duration::from_secs(16)).await; // virtual
    assert_eq!(depth(&page, "available"), Some(1.0));
    queue.enqueue(send::new()).await?;
    tokio::time::sleep(Duration::from_secs(16)).await; // virtual

    assert_eq!(depth(&page, "available"), Some(2.0));
    run.abort();
    Ok(())
}
