//! Removes old finished jobs in the background: a batch with a transaction at a time.

use std::time::Duration;

use queue_core::admin::Prune;
use tokio::time::Instant;

use crate::table::Table;

/// How long after a batch the next one is pruned, with a transaction that has other work.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long after a batch the next one is pruned in a transaction of its own, if there was no other.
const IDLE_INTERVAL: Duration = Duration::from_secs(60);

/// The number of jobs in a batch: large enough to keep up with the jobs that finish, small enough to delay no call.
///
/// After a full batch, the next one follows at once.
const BATCH: usize = 1_000;

/// When and what the writer prunes.
pub(super) struct Pruning {
    /// How long finished jobs are kept; `None` if all are kept forever.
    retention: Option<Prune>,
    /// `None` before the first transaction, which prunes. So a program that only reads a file does not change it.
    next: Option<NextPrune>,
}

/// When the next batch is pruned.
#[derive(Clone, Copy)]
struct NextPrune {
    /// From when on a transaction with other work prunes too.
    shared: Instant,
    /// When a transaction of its own is due.
    own: Instant,
}

impl Pruning {
    pub(super) fn new(mut retention: Prune) -> Self {
        retention.limit = BATCH;
        let keeps_all = retention.completed.or(retention.discarded).or(retention.cancelled).is_none();
        Self { retention: (!keeps_all).then_some(retention), next: None }
    }

    /// Returns whether a transaction of its own is due.
    pub(super) fn is_due(&self) -> bool {
        self.retention.is_some() && self.next.is_some_and(|next| next.own <= Instant::now())
    }

    /// Waits until a transaction of its own is due.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn wait_until_due(&self) {
        match (&self.retention, self.next) {
            (Some(_), Some(next)) => tokio::time::sleep_until(next.own).await,
            _ => std::future::pending().await,
        }
    }

    /// Removes a batch of old jobs if that is due.
    pub(super) fn prune(&mut self, table: &mut Table<'_>) -> rusqlite::Result<()> {
        let Some(retention) = &self.retention else { return Ok(()) };
        let now = Instant::now();
        if self.next.is_some_and(|next| next.shared > now) {
            return Ok(());
        }
        let pruned = table.prune(retention)?;
        let is_behind = usize::try_from(pruned).is_ok_and(|pruned| pruned >= BATCH);
        self.next = Some(if is_behind { NextPrune { shared: now, own: now } } else { NextPrune::after(now) });
        Ok(())
    }

    /// Postpones the next batch after a transaction that failed.
    pub(super) fn postpone(&mut self) {
        self.next = Some(NextPrune::after(Instant::now()));
    }
}

impl NextPrune {
    /// Returns when the next batch is due if there is none to prune at `now`.
    fn after(now: Instant) -> Self {
        Self { shared: now + INTERVAL, own: now + IDLE_INTERVAL }
    }
}
