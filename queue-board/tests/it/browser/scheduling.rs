//! Schedules in the browser.

use queue_core::{Services, background_job, jobs};
use queue_schedules::Schedules;
use queue_tokio::{Host, QueueService};

use super::session::{Scripts, Session};
use crate::fixture::{TestResult, open_board, queue};

#[background_job(every = "1s")]
async fn beat() {}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_ticks_on_the_open_page_until_it_is_paused() -> TestResult {
    let queue = queue();
    let host = Host::builder()
        .services(Services::builder().build()?)
        .service(QueueService::new(queue.clone(), jobs![beat]))
        .service(Schedules::new("shop", queue.clone()).jobs(jobs![beat]))
        .build()?;
    let running = host.start().await?;
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    session.visit("").await?;
    session.find_text("#live", "live").await?;
    session.press("5").await?; // the page of schedules
    session.find_text("th", "beat").await?;
    session.find_text("td", "every second").await?;
    session.evaluate("window.same = true").await?;
    session.find("svg.outcomes rect.completed:nth-of-type(12)").await?;
    assert_eq!(session.evaluate("window.same").await?, true, "the ticks came without a load");
    session.click("button", "Pause").await?;
    session.find_text("span", "paused").await?;
    session.click("button", "Trigger").await?;
    session.find_text("h1", "beat").await?;
    session.client.back().await?;
    session.click("button", "Resume").await?;
    session.find_text("button", "Pause").await?;

    running.stop().await?;
    session.close().await
}
