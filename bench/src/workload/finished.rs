//! Jobs come and go beside many that are finished and kept: what one costs, ours alone.

use harness::Figures;

use super::backlog::Backlog;

/// Measures what it costs to enqueue a job, and to claim and settle one, while so many finished ones are kept.
///
/// There are as many from the start, so that each job which is finished makes the oldest go.
pub(super) async fn measure(kept: usize, jobs: u64) -> anyhow::Result<Figures> {
    Backlog::with_finished(kept).await?.turn_over(jobs).await
}
