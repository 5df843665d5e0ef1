//! The verb `top` in a terminal: its screen, and its keys.

use std::path::Path;
use std::time::Instant;

use queue_core::admin::Filter;
use queue_core::{BoxError, State};
use test_servers::Tmux;

use crate::fixture::{EXECUTING, RETRYABLE, id};
use crate::store::{Store, TestResult, assert_golden, collapse, on_each_store, redact};
use crate::terminal::{COLUMNS, PATIENCE, ROWS, Terminal};

on_each_store!(
    top_shows_the_queues_and_the_running_jobs,
    keys_pause_cancel_and_retry,
    a_change_elsewhere_is_shown_without_a_key,
    top_has_the_same_screen_under_tmux,
);

const UP: &str = "\u{1b}[A";
const DOWN: &str = "\u{1b}[B";

/// Returns the screen without its first line, which names the store.
fn screen(terminal: &Terminal) -> String {
    without_title(&terminal.screen())
}

fn without_title(screen: &str) -> String {
    let text = collapse(&redact(screen));
    text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned())
}

async fn top_shows_the_queues_and_the_running_jobs(store: &Store) -> TestResult {
    let mut terminal = Terminal::start(store, "top");
    // A screen is drawn from its first line to its last.
    terminal.wait_for("rendering");
    terminal.wait_for("q quit");
    let running = screen(&terminal);
    terminal.press("3");
    terminal.wait_for("the card was declined");
    terminal.wait_for("connection refused");
    let failed = screen(&terminal);
    terminal.press("q");

    let (code, _) = terminal.end();
    assert_eq!(code, 0);
    assert_golden("top", &format!("{running}\n{failed}"));
    Ok(())
}

async fn top_has_the_same_screen_under_tmux(store: &Store) -> TestResult {
    let arguments: Vec<_> = store.options.iter().cloned().chain(["top".to_owned()]).collect();
    let tmux = Tmux::start(Path::new(env!("CARGO_BIN_EXE_queue")), &arguments, COLUMNS, ROWS)?;
    let wait_for = |texts: &[&str]| -> Result<String, BoxError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = tmux.screen()?;
            if texts.iter().all(|text| shown.contains(text)) {
                return Ok(without_title(&shown));
            }
            assert!(Instant::now() < deadline, "the screen has not {texts:?}:\n{shown}");
        }
    };

    let running = wait_for(&["rendering", "q quit"])?;
    tmux.press(&["3"])?;
    let failed = wait_for(&["the card was declined", "connection refused"])?;
    tmux.press(&["q"])?;
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        match tmux.exit_code() {
            None if Instant::now() < deadline => {}
            ended => break ended,
        }
    };

    assert_eq!(code, Some(0), "{}", tmux.screen()?);
    assert_golden("top", &format!("{running}\n{failed}"));
    Ok(())
}

async fn keys_pause_cancel_and_retry(store: &Store) -> TestResult {
    let mut terminal = Terminal::start(store, "top --every 50ms");
    terminal.wait_for("rendering");
    terminal.press("p");
    terminal.wait_for("paused mail");
    terminal.press("p");
    terminal.wait_for("resumed mail");
    terminal.press(&format!("{DOWN}p"));
    terminal.wait_for("resumed reports");

    terminal.press("2c");
    terminal.wait_for(&format!("Cancel {}? [y/N]", id(EXECUTING)));
    terminal.press("y");
    terminal.wait_for("cancellation requested: cancelled");

    terminal.press(&format!("3{DOWN}r"));
    terminal.wait_for(&format!("retried {}", id(RETRYABLE)));
    terminal.press(&format!("1{UP}r"));
    terminal.wait_for("Retry all discarded jobs of mail? [y/N]");
    terminal.press("y");
    terminal.wait_for("retried 1 discarded jobs of mail");
    terminal.press("\u{3}");

    assert_eq!(terminal.end().0, 0);
    let requested = store.queue.get(id(EXECUTING)).await?.expect("it runs");
    assert_eq!(requested.cancel_reason.as_deref(), Some("cancelled by an operator"));
    let failed = Filter::all().state(State::Discarded).state(State::Retryable);
    assert_eq!(store.queue.matching(&failed).await?, []);
    let summaries = store.queue.summary().await?;
    assert!(summaries.iter().all(|summary| !summary.paused), "{summaries:?}");
    Ok(())
}

async fn a_change_elsewhere_is_shown_without_a_key(store: &Store) -> TestResult {
    let mut terminal = Terminal::start(store, "top --every 50ms");
    terminal.wait_for("3 Failed 2");

    store.queue.retry(id(RETRYABLE)).await?;

    terminal.wait_for("3 Failed 1");
    terminal.press("q");
    assert_eq!(terminal.end().0, 0);
    Ok(())
}
