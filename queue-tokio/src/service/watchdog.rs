//! The watchdog: helps lanes whose workers are held by jobs that block their threads, and names such jobs.
//!
//! It runs on the renewer's thread, which jobs cannot block. While workers are active it checks their lanes every
//! [`Lane::CHECK`]; otherwise it sleeps.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use queue_core::Timestamp;

use super::blocked_threads::BlockedThreads;
use super::lane::{Lane, Progress};
use super::shared::Shared;
use super::worker;

/// A job that waits for a worker for this long is released, if its lane runs its share.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many checks without an active worker the watchdog makes before it sleeps: waking it costs more than a few checks.
const IDLE_CHECKS: u32 = 10;

/// Settlements that the watchdog has begun.
type Settling = FuturesUnordered<BoxFuture<'static, ()>>;

pub(super) struct Watchdog {
    shared: Arc<Shared>,
    progress: Vec<Progress>,
    blocked: BlockedThreads,
    idle_checks: u32,
}

impl Watchdog {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let progress = vec![Progress::default(); shared.lanes().len()];
        Self { shared, progress, blocked: BlockedThreads::default(), idle_checks: 0 }
    }

    /// Checks the lanes until it is dropped.
    pub(super) async fn run(mut self) {
        let mut settling = Settling::new();
        loop {
            let now = self.shared.client().now();
            let check = self.check_lanes(now, &settling);
            let scan = self.blocked.scan(&self.shared, now);
            tokio::select! {
                biased;
                Some(()) = settling.next() => {}
                () = self.wait(check, scan) => {}
            }
        }
    }

    /// Does for each lane what it needs. Returns when to check again.
    fn check_lanes(&mut self, now: Timestamp, settling: &Settling) -> Option<Duration> {
        let is_stopping = self.shared.shutdown().is_stopping();
        let releases = self.shared.settings().prefetch.is_none() && !is_stopping;
        let mut next = None;
        for (number, lane) in self.shared.lanes().iter().enumerate() {
            let due = if releases { lane.release_surplus(now, PATIENCE) } else { None };
            let rescue = lane.rescue(&mut self.progress[number], is_stopping);
            if rescue.needs_worker {
                worker::start(&self.shared, number);
            }
            if !rescue.finished.is_empty() {
                let shared = self.shared.clone();
                settling.push(Box::pin(async move {
                    shared.settle(shared.lane(number), rescue.finished).await;
                    shared.settle_lane(number).await;
                }));
            }
            next = [next, due, rescue.next].into_iter().flatten().min();
        }
        next
    }

    /// Waits until the next check or scan is due, or a lane has jobs that wait for a worker.
    async fn wait(&mut self, check: Option<Duration>, scan: Option<Duration>) {
        let client = self.shared.client();
        if let Some(check) = check.filter(|check| *check <= Lane::SLOW_CHECK) {
            self.idle_checks = 0;
            return client.sleep(check).await;
        }
        if self.idle_checks < IDLE_CHECKS {
            self.idle_checks += 1;
            return client.sleep(Lane::CHECK).await;
        }
        let is_active = || self.shared.lanes().iter().any(Lane::is_active);
        let timer = async {
            match [check, scan].into_iter().flatten().min() {
                Some(due) => client.sleep(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.watchdog().sleep_unless(is_active) => {}
            () = timer => {}
        }
    }
}
