//! The claims that wait, in the order in which they came, and the moment at which there may be something for them.

use std::collections::VecDeque;
use std::time::Duration;

use queue_core::{Delivery, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::PollInterval;
use super::message::Claim;

/// A stepped clock of the server is noticed after so long at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How soon a job is looked for again that is due and that another transaction has locked: mostly a claim, which is over in
/// a moment. An application's transaction may stay open for long, so the pause doubles up to the longer one.
const LOCKED_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_LOCKED_PAUSE: Duration = Duration::from_millis(80);

/// With notifications, it's looked so much less often for what nobody has told of.
const WITH_NOTIFICATIONS: u32 = 10;

pub(super) struct Waiting {
    claims: VecDeque<Claim>,
    poll: PollInterval,
    /// When something is due, or a wait is over.
    due: Option<Instant>,
    /// When it was last looked for jobs.
    looked: Instant,
    /// How long to wait for a job that another transaction has locked.
    locked_pause: Duration,
    /// The interval is varied by so much, so that processes don't look all at once.
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

    /// Takes the claims whose stop signal has fired.
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

    /// Takes those out who are answered: with jobs, or with none since their time is over, which only a whole look can
    /// tell. There is a list for each.
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

    /// Tells whether the time of any of them is over.
    pub(super) fn is_any_over(&self, now: Timestamp) -> bool {
        self.claims.iter().any(|claim| claim.over.is_some_and(|over| over <= now))
    }

    /// Sets when the lane polls next, after a poll at `now` by the server's clock: when the next job is `due`, soon if one is
    /// due and locked, and at the latest when the next whole look is.
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

    /// Waits until there may be something for those who wait. Where nobody waits, there is nothing.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub(super) async fn moment(&self) {
        if self.is_empty() {
            return std::future::pending().await;
        }
        self.poll.hearing.want();
        loop {
            let interval = self.poll.interval.min(Duration::from_secs(1 << 30));
            let poll = self.looked + interval.mul_f64(self.jitter);
            let rare = self.looked + interval.saturating_mul(WITH_NOTIFICATIONS).mul_f64(self.jitter);
            // It's polled rarely for as long as notifications are known to be heard.
            let poll = self.poll.hearing.fresh_until().map_or(poll, |fresh| fresh.clamp(poll, rare));
            let until = self.due.into_iter().chain([poll]).min().unwrap_or(poll);
            let now = Instant::now();
            if until <= now {
                return;
            }
            // They may be known to be heard again meanwhile.
            sleep_until(until.min(now + LONGEST_WAIT)).await;
            self.poll.hearing.want();
        }
    }
}
