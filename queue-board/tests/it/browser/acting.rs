//! Changes in the browser, and the updates of open pages.

use std::sync::Arc;

use fantoccini::key::Key;
use queue_board::{Access, Board};
use queue_core::{Admin as _, Queue as _, QueueExt as _, Services, State, background_job, jobs};
use queue_tokio::{Host, QueueService};

use super::session::{Scripts, Session};
use crate::fixture::{Stepwise, TestResult, discarded, job, open_board, queue};

#[background_job(queue = "mail")]
async fn send_welcome(user_id: u64) {
    let _ = user_id;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_job_completes_on_the_open_page() -> TestResult {
    let queue = queue();
    let id = discarded(&queue, send_welcome::new(7).into(), "the server refused").await?;
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    session.visit(&format!("/jobs/{id}")).await?;
    session.find_text("li", "It was discarded").await?;
    session.click("button", "Retry").await?;
    session.find_text("h1", "available").await?;
    session.evaluate("window.same = true").await?;
    let host = Host::builder()
        .services(Services::builder().build()?)
        .service(QueueService::new(queue.clone(), jobs![send_welcome]).queues(["mail"]))
        .build()?;
    let running = host.start().await?;
    session.find_text("h1", "completed").await?;
    session.find_text("li", "It completed").await?;

    assert_eq!(session.evaluate("window.same").await?, true, "the page was not loaded again");
    assert_eq!(session.client.title().await?, "send_welcome · completed · Queue");
    running.stop().await?;
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_jobs_are_cancelled_with_progress_and_a_stop() -> TestResult {
    let queue = queue();
    queue.push((0..10_000).map(|number| job("send", &number.to_string()).queue("mail")).collect()).await?;
    let stepwise = Stepwise::new(&queue, 4);
    let board = Board::new(stepwise.clone()).access(|_| Access::act("ada"));
    let session = Session::open(board, Scripts::Allowed).await?;

    session.visit("/jobs?state=available&queue=mail").await?;
    session.click("form[@id='matching']/button", "Cancel").await?;
    session.find_text("h1", "Cancel 10,000 jobs").await?;
    assert_eq!(queue.summary().await?[0].of(State::Cancelled).jobs, 0, "asked first");
    session.click("button", "Cancel 10,000 jobs").await?;
    session.find_text("#changed", "1,000 of 10,000 jobs cancelled").await?;
    session.click("button", "Stop").await?;
    session.find_text("button", "Stopping").await?;
    stepwise.permits.add_permits(1);
    session.find_text("#changed", "1,250 of 10,000 jobs cancelled").await?;
    session.find_text("#changed", "Stopped.").await?;
    stepwise.permits.add_permits(100);
    session.click("a", "Back to the jobs").await?;
    session.click("form[@id='matching']/button", "Cancel").await?;
    session.click("button", "Cancel 8,750 jobs").await?;
    session.find_text("#changed", "8,750 of 8,750 jobs cancelled in").await?;

    assert_eq!(queue.summary_up_to(20_000).await?[0].of(State::Cancelled).jobs, 10_000);
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() -> TestResult {
    let queue = queue();
    let older = discarded(&queue, job("send", "1"), "refused").await?;
    let newer = discarded(&queue, job("send", "2"), "refused").await?;
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    session.visit("").await?;
    session.find_text("#live", "live").await?;
    session.press("2").await?;
    session.find("#filter").await?;
    session.press("/").await?;
    session.press("send").await?;
    session.press(&Key::Enter.to_string()).await?;
    session.arrive("/jobs?name=send").await?;
    session.press("jjx").await?;
    session.find_text("#selected", "1 selected").await?;
    session.evaluate("document.querySelector('#selection button').focus()").await?;
    session.press(&Key::Enter.to_string()).await?;
    session.find_text("tr", "available").await?;
    let state = async |id| queue.get(id).await.map(|job| job.map(|job| job.state));
    assert_eq!((state(older).await?, state(newer).await?), (Some(State::Available), Some(State::Discarded)));
    session.press("j").await?;
    session.find("tr.current").await?;
    session.press(&Key::Enter.to_string()).await?;
    session.find_text("#id", &newer.to_string()).await?;
    session.press("?").await?;
    session.find("dialog[open]").await?;
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_keeps_what_the_reader_does() -> TestResult {
    let queue = queue();
    let id = discarded(&queue, job("send", "1"), "refused").await?;
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    session.visit("/jobs").await?;
    session.find_text("#live", "live").await?;
    session.find("td.tick input").await?.click().await?;
    session.find("input[name=name]").await?.send_keys("half a na").await?;
    queue.enqueue(job("another", "2")).await?;
    session.find_text("tr", "another").await?;

    let kept = "[document.querySelector('input[name=name]').value, document.activeElement.name, \
                document.querySelector('td.tick input:checked').value]";
    assert_eq!(session.evaluate(kept).await?.to_string(), format!(r#"["half a na","name","{id}"]"#));
    session.find_text("#selected", "1 selected").await?;
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_says_that_the_queue_fails_and_recovers() -> TestResult {
    let queue = queue();
    let failing = crate::fixture::Failing::new(&queue);
    let session = Session::open(
        Board::new(failing.clone() as Arc<dyn queue_core::Admin>).access(|_| Access::Look),
        Scripts::Allowed,
    )
    .await?;

    session.visit("").await?;
    session.find_text("#live", "live").await?;
    failing.fail(true);
    session.find_text("#trouble", "The queue can't be read: the server does not answer").await?;
    failing.fail(false);
    session.find("#trouble[hidden]").await?;
    session.close().await
}
