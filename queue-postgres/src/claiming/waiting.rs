//! The waiting claims in the order of arrival, and when the claim task scans for them next.

use std::collections::VecDeque;
use std::time::Duration;

use queue_core::{Delivery, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::PollInterval;
use super::message::Claim;

/// The longest wait, so that a step of the server's clock is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How soon the claim task scans again if a job is due and locked by another transaction. That is usually a claim, which
/// ends within a moment. An application's transaction may stay open for long, so the pause doubles up to the longer one.
const LOCKED_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_LOCKED_PAUSE: Duration = Duration::from_millis(80);

/// The factor of the poll interval while notifications arrive.
const WITH_NOTIFICATIONS: u32 = 10;

pub(super) struct Waiting {
    claims: VecDeque<Claim>,
    poll: PollInterval,
    /// When a job is due, a lease expires, a wait is over, or a full scan is due.
    due: Option<Instant>,
    /// When the last scan ended.
    looked: Instant,
    /// The next pause before a scan for a job that another transaction has locked.
    locked_pause: Duration,
    /// The factor by which the interval is varied, so that processes don't poll at the same time.
    jitter: f64,
}

impl Waiting {
    pub(super) fn new(poll: PollInterval) -> Self {
        Self {
            claims: VecDeque::new(),
            poll,
            due: None,
            looked: Instant::now(),
            locked_pause: LOCKED_PAUSE,
            jitter: 1.0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.claims.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter()
    }

    pub(super) fn push(&mut self, claim: Claim) {
        self.claims.push_back(claim);
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Claim> + use<> {
        std::mem::take(&mut self.claims).into_iter()
    }

    /// Removes and returns the claims whose stop signal has fired.
    pub(super) fn take_stopped(&mut self) -> VecDeque<Claim> {
        let claims = std::mem::take(&mut self.claims).into_iter();
        let (stopped, waiting) = claims.partition(|claim| claim.demand.is_stopped());
        self.claims = waiting;
        stopped
    }

    /// Drops claims whose futures were dropped.
    pub(super) fn forget_the_gone(&mut self) {
        self.claims.retain(|claim| !claim.reply.is_closed());
    }

    /// Removes and returns the claims to answer: those with jobs, and those whose wait is over, which are answered
    /// without jobs only after a full scan. `deliveries` has a list for each claim.
    pub(super) fn served(
        &mut self,
        deliveries: Vec<Vec<Delivery>>,
        now: Timestamp,
        is_whole: bool,
    ) -> Vec<(Claim, Vec<Delivery>)> {
        let mut served = Vec::new();
        for (mut claim, deliveries) in std::mem::take(&mut self.claims).into_iter().zip(deliveries) {
            if claim.over.is_none() {
                claim.over = claim.demand.wait.map(|wait| now.saturating_add(wait));
            }
            if deliveries.is_empty() && !(is_whole && claim.over.is_some_and(|over| over <= now)) {
                self.claims.push_back(claim);
            } else {
                served.push((claim, deliveries));
            }
        }
        served
    }

    /// Returns whether the wait of any claim is over.
    pub(super) fn is_any_over(&self, now: Timestamp) -> bool {
        self.claims.iter().any(|claim| claim.over.is_some_and(|over| over <= now))
    }

    /// Schedules the next scan, after a scan at `now` by the server's clock: when the next job is `due` or the wait of a
    /// claim is over, after a pause if a due job is locked, and no later than the next full scan.
    pub(super) fn set_next_moment(
        &mut self,
        now: Timestamp,
        due: Option<Timestamp>,
        is_locked: bool,
        whole_at: Option<Instant>,
    ) {
        self.looked = Instant::now();
        self.jitter = 0.8 + 0.4 * fastrand::f64();
        let due = due.map(|due| due.since(now));
        let locked = is_locked.then_some(self.locked_pause);
        self.locked_pause =
            if is_locked { (self.locked_pause * 2).min(LONGEST_LOCKED_PAUSE) } else { LOCKED_PAUSE };
        let over = self.claims.iter().filter_map(|claim| claim.over).map(|over| over.since(now)).min();
        let next = due.into_iter().chain(locked).chain(over).min();
        let next = next.map(|next| self.looked + next.min(LONGEST_WAIT));
        self.due = next.into_iter().chain(whole_at).min();
    }

    /// Waits until a scan or poll is due. Without waiting claims, it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn moment(&self) {
        if self.is_empty() {
            return std::future::pending().await;
        }
        self.poll.hearing.want();
        loop {
            let interval = self.poll.interval.min(Duration::from_secs(1 << 30));
            let poll = self.looked + interval.mul_f64(self.jitter);
            let rare = self.looked + interval.saturating_mul(WITH_NOTIFICATIONS).mul_f64(self.jitter);
            // While notifications are known to arrive, polls are rare.
            let poll = self.poll.hearing.fresh_until().map_or(poll, |fresh| fresh.clamp(poll, rare));
            let until = self.due.into_iter().chain([poll]).min().unwrap_or(poll);
            let now = Instant::now();
            if until <= now {
                return;
            }
            // Whether notifications arrive may change during the sleep.
            sleep_until(until.min(now + LONGEST_WAIT)).await;
            self.poll.hearing.want();
        }
    }
}
