//! The cost of a job of ours beside many finished ones.

use harness::Figures;

use super::backlog::Backlog;

/// Measures the cost of enqueuing a job, and of claiming and settling one, while `kept` finished jobs are kept.
///
/// The queue has `kept` finished jobs from the start, so each job that finishes removes the oldest.
pub(super) async fn measure(kept: usize, jobs: u64) -> anyhow::Result<Figures> {
    Backlog::with_finished(kept).await?.measure(jobs).await
}
