//! The finished jobs that are kept no longer go in the background, a few with each transaction.

use std::time::Duration;

use queue_core::admin::Prune;
use tokio::time::Instant;

use crate::table::Table;

/// How often it's looked for old jobs where there were fewer than a batch, with a transaction that is made anyway.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often it's looked for them where nothing else happens.
const IDLE_INTERVAL: Duration = Duration::from_secs(60);

/// How many go with one transaction: as many as it takes to keep up, and few enough to hold nobody up.
const BATCH: usize = 1_000;

pub(super) struct Pruning {
    retention: Option<Prune>,
    /// When it's looked for them next, and when that's worth a transaction of its own.
    next: Option<(Instant, Instant)>,
}

impl Pruning {
    pub(super) fn new(mut retention: Prune) -> Self {
        retention.limit = BATCH;
        let keeps_all = retention.completed.or(retention.discarded).or(retention.cancelled).is_none();
        Self { retention: (!keeps_all).then_some(retention), next: None }
    }

    /// Tells whether it is time.
    pub(super) fn is_due(&self) -> bool {
        self.retention.is_some() && self.next.is_some_and(|(_, own)| own <= Instant::now())
    }

    /// Waits until it's time.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub(super) async fn wait_until_due(&self) {
        match (&self.retention, self.next) {
            (Some(_), Some((_, own))) => tokio::time::sleep_until(own).await,
            // The first time is with the first transaction, so that a queue that is only read stays as it is.
            _ => std::future::pending().await,
        }
    }

    /// Removes a batch, if it's time.
    pub(super) fn prune(&mut self, table: &mut Table<'_>) -> rusqlite::Result<()> {
        let Some(retention) = &self.retention else { return Ok(()) };
        let now = Instant::now();
        if self.next.is_some_and(|(next, _)| next > now) {
            return Ok(());
        }
        let pruned = table.prune(retention)?;
        let is_behind = usize::try_from(pruned).is_ok_and(|pruned| pruned >= BATCH);
        self.next = Some(if is_behind { (now, now) } else { (now + INTERVAL, now + IDLE_INTERVAL) });
        Ok(())
    }

    /// Puts it off after a transaction that failed.
    pub(super) fn postpone(&mut self) {
        let now = Instant::now();
        self.next = Some((now + INTERVAL, now + IDLE_INTERVAL));
    }
}
