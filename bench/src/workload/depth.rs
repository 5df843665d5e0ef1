//! Jobs come and go beside many that wait: what one costs, ours alone.

use harness::{Figures, Waits};

use super::backlog::Backlog;

/// Gives the numbers of waiting jobs beside which is measured.
pub(super) fn depths(full: bool) -> impl Iterator<Item = u64> {
    (3..=if full { 7 } else { 6 }).map(|digits| 10_u64.pow(digits))
}

/// Measures what it costs to enqueue a job, and to claim and settle one, while so many others wait.
pub(super) async fn measure(waiting: u64, waits: Waits, jobs: u64) -> anyhow::Result<Figures> {
    Backlog::of(waiting, waits).await?.turn_over(jobs).await
}
