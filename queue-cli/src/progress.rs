//! The progress of a long operation, on standard error. It is hidden unless that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with the share that is done, for an operation on a known number of jobs.
pub(crate) fn bar(jobs: u64, verb: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:32} {human_pos}/{human_len} jobs, {eta} left");
    let bar = ProgressBar::new(jobs).with_message(verb);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// A line that shows the state of a wait.
pub(crate) fn spinner(text: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(text);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
