//! Whether notifications arrive: the state that the listener writes and the claim task reads.
//!
//! The listener records the moment up to which all notifications are confirmed to have arrived. For one and a quarter
//! intervals after that moment, claims poll rarely; then they poll at the poll interval. So a listener that dies
//! unnoticed delays a job by less than two intervals.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | the claim task | the listener | a claim waits, and the listener is parked |
//! | the listener | the claim task | by a message, when there may be jobs |
//!
//! # Race
//!
//! The listener parks while a claim begins to wait. The listener first sets `is_parked` and then reads `is_wanted`; the
//! claim task first sets `is_wanted` and then reads `is_parked`. All four are sequentially consistent, so at least one of
//! them sees the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The longest time between two checks, for long poll intervals.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The number of checks after the last waiting claim, before the listener parks.
const MAX_UNUSED_CHECKS: u32 = 2;

/// Whether the listener receives notifications.
pub(crate) struct ListenerHealth {
    check_interval: Duration,
    /// All notifications sent before this moment have arrived; `None` while none arrive.
    confirmed_until: Mutex<Option<Instant>>,
    /// Whether a claim has waited since the last check.
    is_wanted: AtomicBool,
    /// Whether the listener waits to be wanted.
    is_parked: AtomicBool,
    wanted: Notify,
}

impl ListenerHealth {
    pub(crate) fn new(poll_interval: Duration) -> Self {
        Self {
            check_interval: poll_interval.min(MAX_CHECK_INTERVAL),
            confirmed_until: Mutex::default(),
            is_wanted: AtomicBool::new(false),
            is_parked: AtomicBool::new(false),
            wanted: Notify::new(),
        }
    }

    /// Records that all notifications sent before `as_of` have arrived.
    pub(crate) fn confirm_until(&self, as_of: Instant) {
        let mut confirmed_until = self.confirmed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *confirmed_until = Some(confirmed_until.map_or(as_of, |latest| latest.max(as_of)));
    }

    /// Records that notifications no longer arrive.
    pub(crate) fn mark_lost(&self) {
        *self.confirmed_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the moment up to which all notifications have arrived, unless the connection was lost.
    fn confirmed_until(&self) -> Option<Instant> {
        *self.confirmed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the instant until which notifications can be relied on, if they can.
    pub(crate) fn reliable_until(&self) -> Option<Instant> {
        Some(self.confirmed_until()? + self.check_interval + self.check_interval / 4)
    }

    /// Asks the listener for checks, because a claim waits.
    pub(crate) fn request_checks(&self) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            self.is_wanted.store(true, Ordering::SeqCst);
        }
        if self.is_parked.load(Ordering::SeqCst) && self.is_parked.swap(false, Ordering::SeqCst) {
            self.wanted.notify_one();
        }
    }

    /// Parks the listener until a claim waits.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(crate) async fn wait_for_claim(&self) {
        self.is_parked.store(true, Ordering::SeqCst);
        // A claim that came before `is_parked` was set has woken no listener.
        if !self.is_wanted.load(Ordering::SeqCst) {
            self.wanted.notified().await;
        }
        self.is_parked.store(false, Ordering::SeqCst);
    }

    /// Waits for the next check that a claim wants. `idle` counts the checks that no claim wanted.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(crate) async fn next_check(&self, idle: &mut u32) {
        loop {
            if *idle >= MAX_UNUSED_CHECKS {
                self.wait_for_claim().await;
                *idle = 0;
            }
            if let Some(confirmed_until) = self.confirmed_until() {
                sleep_until(confirmed_until + self.check_interval).await;
                if self.confirmed_until() != Some(confirmed_until) {
                    // A notification proves as much as a check.
                    continue;
                }
            }
            if self.is_wanted.swap(false, Ordering::SeqCst) {
                *idle = 0;
                return;
            }
            *idle += 1;
            if *idle < MAX_UNUSED_CHECKS {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn notifications_are_relied_on_for_less_than_two_intervals() {
        let health = ListenerHealth::new(Duration::from_secs(1));
        assert_eq!(health.reliable_until(), None);

        let now = Instant::now();
        health.confirm_until(now);
        health.confirm_until(now - Duration::from_millis(1));

        assert_eq!(health.reliable_until(), Some(now + Duration::from_millis(1_250)));
        health.mark_lost();
        assert_eq!(health.reliable_until(), None);
    }

    /// D13: the listener connects when a claim first waits.
    #[tokio::test(start_paused = true)]
    async fn a_listener_waits_for_the_first_claim() {
        let health = ListenerHealth::new(Duration::from_secs(1));
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(tokio::time::timeout(day, health.wait_for_claim()).await.is_err());

        health.request_checks();

        assert!(tokio::time::timeout(day, health.wait_for_claim()).await.is_ok());
    }

    /// H21: while no claim waits, the listener sends nothing.
    #[tokio::test(start_paused = true)]
    async fn a_listener_parks_without_waiting_claims_until_one_waits() {
        let health = ListenerHealth::new(Duration::from_secs(1));
        let mut idle = 0;
        let mut checks = 0;
        let day = Duration::from_secs(24 * 60 * 60);
        health.confirm_until(Instant::now());
        health.request_checks();
        while tokio::time::timeout(day, health.next_check(&mut idle)).await.is_ok() {
            checks += 1;
            health.confirm_until(Instant::now());
        }
        assert!(checks <= 3, "{checks} checks");

        health.request_checks();

        assert!(tokio::time::timeout(day, health.next_check(&mut idle)).await.is_ok());
    }
}
