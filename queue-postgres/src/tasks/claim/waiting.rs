//! The waiting claims in the order of arrival, and when the claim task scans for them next.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{MAX_WAKEUP, ServedClaim, Waiters};
use queue_core::{Delivery, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::scan::ScanResult;
use crate::listener_health::ListenerHealth;

/// How soon the claim task scans again if a job is due and locked by another transaction. That is usually a claim, which
/// ends within a moment. An application's transaction may stay open for long, so the pause doubles up to the longer one.
const LOCKED_RETRY: Duration = Duration::from_millis(5);
const MAX_LOCKED_RETRY: Duration = Duration::from_millis(80);

/// The factor of the poll interval while notifications arrive.
const POLL_FACTOR_WHEN_LISTENING: u32 = 10;

/// How often the claim task polls for jobs without a notification.
#[derive(Clone)]
pub(crate) struct PollInterval {
    pub(crate) interval: Duration,
    /// Whether notifications of other processes arrive; while they do, the claim task polls ten times less often.
    pub(crate) health: Arc<ListenerHealth>,
}

/// The claims that wait.
pub(super) struct WaitingClaims {
    pub(super) claims: Waiters<Option<Timestamp>>,
    poll: PollInterval,
    /// When a job is due, a lease expires, a wait is over, or a full scan is due.
    wakeup: Option<Instant>,
    /// When the last scan ended.
    last_scan: Instant,
    /// The next pause before a scan for a job that another transaction has locked.
    locked_retry: Duration,
    /// The factor by which the interval is varied, so that processes don't poll at the same time.
    jitter: f64,
}

impl WaitingClaims {
    pub(super) fn new(poll: PollInterval) -> Self {
        Self {
            claims: Waiters::default(),
            poll,
            wakeup: None,
            last_scan: Instant::now(),
            locked_retry: LOCKED_RETRY,
            jitter: 1.0,
        }
    }

    /// Removes and returns the claims for which a scan leased jobs, with those jobs. `deliveries` has a list for each claim,
    /// and `now` is the time of the scan.
    pub(super) fn take_served(
        &mut self,
        deliveries: Vec<Vec<Delivery>>,
        now: Timestamp,
    ) -> Vec<ServedClaim<Option<Timestamp>>> {
        let (mut served, mut deliveries) = (Vec::new(), deliveries.into_iter());
        let Ok(()) = self.claims.serve(&mut served, |claim| {
            if claim.deadline.is_none() {
                claim.deadline = claim.demand.wait.map(|wait| now.saturating_add(wait));
            }
            Ok::<_, Infallible>(deliveries.next().unwrap_or_default())
        });
        served
    }

    /// Schedules the next scan, after this one: when the next job is due or the wait of a claim is over, after a pause if
    /// a due job is locked, and no later than the next full scan.
    pub(super) fn schedule_wakeup(&mut self, scan: &ScanResult, full_scan_at: Option<Instant>) {
        self.last_scan = Instant::now();
        self.jitter = 0.8 + 0.4 * fastrand::f64();
        let now = scan.now;
        let is_locked = scan.due.into_iter().chain(scan.expiry).any(|due| due <= now);
        let locked = is_locked.then_some(self.locked_retry);
        self.locked_retry =
            if is_locked { (self.locked_retry * 2).min(MAX_LOCKED_RETRY) } else { LOCKED_RETRY };
        let deadlines = self.claims.iter().filter_map(|claim| claim.deadline);
        let next = self.claims.next_wakeup(now, scan.next.into_iter().chain(deadlines));
        let next = next.into_iter().chain(locked).min().map(|next| self.last_scan + next);
        self.wakeup = next.into_iter().chain(full_scan_at).min();
    }

    /// Waits until a scan or poll is due. Without waiting claims, it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn wait_for_work(&self) {
        if self.claims.is_empty() {
            return std::future::pending().await;
        }
        self.poll.health.request_checks();
        loop {
            let interval = self.poll.interval.min(Duration::from_secs(1 << 30));
            let poll = self.last_scan + interval.mul_f64(self.jitter);
            let rare =
                self.last_scan + interval.saturating_mul(POLL_FACTOR_WHEN_LISTENING).mul_f64(self.jitter);
            // While notifications are known to arrive, polls are rare.
            let poll = self.poll.health.reliable_until().map_or(poll, |reliable| reliable.clamp(poll, rare));
            let until = self.wakeup.into_iter().chain([poll]).min().unwrap_or(poll);
            let now = Instant::now();
            if until <= now {
                return;
            }
            // Whether notifications arrive may change during the sleep.
            sleep_until(until.min(now + MAX_WAKEUP)).await;
            self.poll.health.request_checks();
        }
    }
}
