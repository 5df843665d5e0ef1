//! Whether notifications are heard: what the listener knows, and the lane that claims acts upon.
//!
//! The listener notes the moment as of which it heard all that was sent. For one and a quarter intervals from then on, claims
//! poll rarely; after it, at the poll interval. So a listener that dies unnoticed delays a job by less than two intervals.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | the lane that claims | the listener | a claim waits, and the listener has stopped beating |
//! | the listener | the lane that claims | by a message, when there may be jobs |

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// However rarely it is polled, the listener is heard about this often.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

/// The listener goes on beating for this many beats after the last claim.
const BEATS_FOR_NOBODY: u32 = 2;

pub(crate) struct Hearing {
    beat: Duration,
    heard: Mutex<Option<Instant>>,
    /// Whether a claim has waited since the last beat.
    is_wanted: AtomicBool,
    /// Whether the listener waits for somebody to want it.
    is_parked: AtomicBool,
    wanted: Notify,
}

impl Hearing {
    pub(crate) fn new(poll_interval: Duration) -> Self {
        Self {
            beat: poll_interval.min(LONGEST_BEAT),
            heard: Mutex::default(),
            is_wanted: AtomicBool::new(false),
            is_parked: AtomicBool::new(false),
            wanted: Notify::new(),
        }
    }

    /// Notes that all that was sent before `as_of` was heard.
    pub(crate) fn note(&self, as_of: Instant) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(heard.map_or(as_of, |heard| heard.max(as_of)));
    }

    /// Notes that nothing is heard any more.
    pub(crate) fn lose(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the instant until which notifications may be relied upon, if they may.
    pub(crate) fn fresh_until(&self) -> Option<Instant> {
        Some(self.heard()? + self.beat + self.beat / 4)
    }

    /// Asks the listener to beat: a claim waits.
    pub(crate) fn want(&self) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            self.is_wanted.store(true, Ordering::SeqCst);
        }
        if self.is_parked.load(Ordering::SeqCst) && self.is_parked.swap(false, Ordering::SeqCst) {
            self.wanted.notify_one();
        }
    }

    /// Waits for the next beat that anybody wants. `idle` counts the beats that nobody wanted.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub(crate) async fn next_beat(&self, idle: &mut u32) {
        loop {
            if *idle >= BEATS_FOR_NOBODY {
                self.is_parked.store(true, Ordering::SeqCst);
                // One who came just before saw no listener to wake.
                if !self.is_wanted.load(Ordering::SeqCst) {
                    self.wanted.notified().await;
                }
                self.is_parked.store(false, Ordering::SeqCst);
                *idle = 0;
            }
            if let Some(heard) = self.heard() {
                sleep_until(heard + self.beat).await;
                if self.heard() != Some(heard) {
                    // A notification says as much as a beat.
                    continue;
                }
            }
            if self.is_wanted.swap(false, Ordering::SeqCst) {
                *idle = 0;
                return;
            }
            *idle += 1;
            if *idle < BEATS_FOR_NOBODY {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_is_relied_upon_for_less_than_two_intervals() {
        let hearing = Hearing::new(Duration::from_secs(1));
        assert_eq!(hearing.fresh_until(), None);

        let now = Instant::now();
        hearing.note(now);
        hearing.note(now - Duration::from_millis(1));

        assert_eq!(hearing.fresh_until(), Some(now + Duration::from_millis(1_250)));
        hearing.lose();
        assert_eq!(hearing.fresh_until(), None);
    }

    /// H21: while no claim waits, the listener sends nothing.
    #[tokio::test(start_paused = true)]
    async fn a_listener_that_nobody_wants_stops_beating_until_somebody_does() {
        let hearing = Hearing::new(Duration::from_secs(1));
        let mut idle = 0;
        let mut beats = 0;
        let day = Duration::from_secs(24 * 60 * 60);
        hearing.note(Instant::now());
        hearing.want();
        while tokio::time::timeout(day, hearing.next_beat(&mut idle)).await.is_ok() {
            beats += 1;
            hearing.note(Instant::now());
        }
        assert!(beats <= 3, "{beats} beats");

        hearing.want();

        assert!(tokio::time::timeout(day, hearing.next_beat(&mut idle)).await.is_ok());
    }
}
