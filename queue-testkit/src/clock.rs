//! Virtual time: it passes when the test says so, and then at once.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{Clock, Timestamp};

/// A clock that stands still until it is moved. Cheap to clone; clones are the same clock.
///
/// Moving it wakes everyone whose time has come, in the order of their times.
/// It needs no runtime and works in any.
#[derive(Clone)]
pub struct VirtualClock(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    registered: u64,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
}

impl VirtualClock {
    /// Where virtual time starts: noon of 1 January 2030, UTC.
    pub const START: Timestamp = Timestamp::from_micros(1_893_499_200_000_000);

    /// Makes a clock that shows [`VirtualClock::START`].
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { now: Self::START, registered: 0, sleepers: BTreeMap::new() })))
    }

    /// Moves the clock, stopping at the end of time.
    pub fn advance(&self, by: Duration) {
        let to = self.lock().now.saturating_add(by);
        self.advance_to(to);
    }

    /// Moves the clock to an instant; one that is past changes nothing.
    pub fn advance_to(&self, to: Timestamp) {
        let due = {
            let mut state = self.lock();
            state.now = state.now.max(to);
            let mut later = state.sleepers.split_off(&(state.now, u64::MAX));
            std::mem::swap(&mut state.sleepers, &mut later);
            later
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// Tells when the next sleeper wakes.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.lock().sleepers.keys().next().map(|(at, _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.now().saturating_add(duration);
        Box::pin(Sleep { clock: self.clone(), until, registration: None })
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&self.now()).finish()
    }
}

struct Sleep {
    clock: VirtualClock,
    until: Timestamp,
    registration: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let clock = self.clock.clone();
        let mut state = clock.lock();
        if state.now >= until {
            return Poll::Ready(());
        }
        let registration = *self.registration.get_or_insert_with(|| {
            state.registered += 1;
            state.registered
        });
        state.sleepers.insert((until, registration), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(registration) = self.registration {
            self.clock.lock().sleepers.remove(&(self.until, registration));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = VirtualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(2));
        assert!((&mut sleep).now_or_never().is_none());

        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.next_wake(), Some(VirtualClock::START.saturating_add(Duration::from_secs(2))));

        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
        assert_eq!(clock.next_wake(), None);
    }

    #[test]
    fn a_dropped_sleeper_leaves_nothing_behind() {
        let clock = VirtualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(2));
        assert!((&mut sleep).now_or_never().is_none());

        drop(sleep);

        assert_eq!(clock.next_wake(), None);
    }
}
