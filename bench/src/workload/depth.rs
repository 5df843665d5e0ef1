//! The cost of a job of ours beside many waiting ones.

use harness::{Figures, Waits};

use super::backlog::Backlog;

/// Returns the numbers of waiting jobs.
pub(super) fn depths(full: bool) -> impl Iterator<Item = u64> {
    (3..=if full { 7 } else { 6 }).map(|digits| 10_u64.pow(digits))
}

/// Measures the cost of enqueuing a job, and of claiming and settling one, beside `waiting` waiting jobs.
pub(super) async fn measure(waiting: u64, waits: Waits, jobs: u64) -> anyhow::Result<Figures> {
    Backlog::of(waiting, waits).await?.measure(jobs).await
}
