//! The timer of waiting callers: each of them drives time until a job is due.

use std::convert::Infallible;
use std::pin::pin;

use queue_core::Timestamp;

use super::{LockedState, Shared, lock};

impl Shared {
    /// Sleeps until a job is due, advances the table, and starts over. Due jobs get their permits.
    ///
    /// Every waiting caller does this, so that no caller depends on another one being polled.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub(super) async fn drive_timer(&self) -> Infallible {
        loop {
            let mut rearm = pin!(self.rearm.notified());
            // Registered before the deadline is read, so that a job that becomes due earlier after that is not missed.
            rearm.as_mut().enable();
            let due = self.arm_timer();
            let wait = async {
                match due {
                    Some(at) => self.clock.sleep(at.since(self.clock.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = rearm => {}
                () = wait => self.locked(|state, now| state.table.advance(now)),
            }
        }
    }

    fn arm_timer(&self) -> Option<Timestamp> {
        let mut state = lock::lock(&self.state);
        state.armed_for = state.table.next_due();
        state.armed_for
    }
}

impl LockedState {
    /// Returns, once, whether a job is due earlier than the timers are armed for.
    pub(super) fn needs_rearm(&mut self) -> bool {
        let next = self.table.next_due();
        let is_earlier = match (self.armed_for, next) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(next)) => next < known,
        };
        if is_earlier {
            self.armed_for = next;
        }
        is_earlier
    }
}
