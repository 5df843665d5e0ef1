//! Virtual time, which passes only when a test moves it.
//!
//! A clock of the kit's own is one `Mutex<State>` that all clones share: the present instant and the wakers of all sleepers,
//! ordered by the time at which they wake. `advance_to` sets the instant, takes the sleepers that are due out of the state, and
//! wakes them after the lock is released, because a waker may call the clock again. A sleeper that is dropped removes itself.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Clock, QueueError, TestClock, Timestamp};

/// A clock that stands still until it is moved. Cheap to clone; clones are the same clock.
///
/// Moving the clock wakes all sleepers that are due, ordered by their wake-up times.
/// It needs no runtime and works in any. A clock made by [`of_tokio`](Self::of_tokio) shows tokio's paused time instead.
#[derive(Clone)]
pub struct VirtualClock(Source);

#[derive(Clone)]
enum Source {
    Own(Arc<Mutex<State>>),
    /// Tokio's time: the timestamp, plus the time that has passed since the instant.
    Tokio(tokio::time::Instant, Timestamp),
}

struct State {
    now: Timestamp,
    registered: u64,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
}

impl VirtualClock {
    /// The start of virtual time: noon of 1 January 2030, UTC.
    pub const START: Timestamp = Timestamp::from_micros(1_893_499_200_000_000);

    /// Creates a clock that shows [`VirtualClock::START`].
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(Self::START)
    }

    /// Creates a clock that shows `now`.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Source::Own(Arc::new(Mutex::new(State { now, registered: 0, sleepers: BTreeMap::new() }))))
    }

    /// Creates a clock that shows tokio's paused time, starting at [`VirtualClock::START`].
    ///
    /// Sleeps of `tokio::time` and sleeps of this clock then agree.
    #[must_use]
    pub fn of_tokio() -> Self {
        Self::of_tokio_at(Self::START)
    }

    /// Creates a clock that shows tokio's paused time, starting at `now`.
    pub(crate) fn of_tokio_at(now: Timestamp) -> Self {
        Self(Source::Tokio(tokio::time::Instant::now(), now))
    }

    /// Returns whether this clock shows tokio's paused time.
    #[must_use]
    pub fn is_tokio(&self) -> bool {
        matches!(self.0, Source::Tokio(..))
    }

    /// Moves the clock, up to the end of time. Has no effect on tokio's time, which only [`pass`](Self::pass) moves.
    pub fn advance(&self, by: Duration) {
        self.advance_to(Clock::now(self).saturating_add(by));
    }

    /// Moves the clock to an instant; an instant in the past changes nothing. Has no effect on tokio's time, which only
    /// [`pass`](Self::pass) moves.
    pub fn advance_to(&self, to: Timestamp) {
        let Source::Own(state) = &self.0 else { return };
        let due = {
            let mut state = lock(state);
            state.now = state.now.max(to);
            let last_due = (state.now, u64::MAX);
            let mut later = state.sleepers.split_off(&last_due);
            std::mem::swap(&mut state.sleepers, &mut later);
            later
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// Moves the clock, also one that shows tokio's paused time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo it: the time has passed once the future was polled.
    pub async fn pass(&self, by: Duration) {
        match &self.0 {
            Source::Own(_) => self.advance(by),
            Source::Tokio(..) => tokio::time::advance(by).await,
        }
    }

    /// Returns when the next sleeper wakes. `None` if there is none, or if the clock shows tokio's time, which doesn't reveal it.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        match &self.0 {
            Source::Own(state) => lock(state).sleepers.keys().next().map(|(at, _)| *at),
            Source::Tokio(..) => None,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Own(state) => lock(state).now,
            Source::Tokio(began, start) => start.saturating_add(began.elapsed()),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match &self.0 {
            Source::Own(state) => {
                let until = Clock::now(self).saturating_add(duration);
                Box::pin(Sleep { state: state.clone(), until, registration: None })
            }
            Source::Tokio(..) => Box::pin(async move { tokio::time::sleep(duration).await }),
        }
    }

    /// Returns this clock, unless it shows tokio's paused time: a queue's own threads can't see that time.
    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        match &self.0 {
            Source::Own(_) => Some(Arc::new(self.clone())),
            Source::Tokio(..) => None,
        }
    }
}

#[async_trait]
impl TestClock for VirtualClock {
    async fn now(&self) -> Result<Timestamp, QueueError> {
        Ok(Clock::now(self))
    }

    async fn advance_to(&self, to: Timestamp) -> Result<(), QueueError> {
        Self::advance_to(self, to);
        Ok(())
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&Clock::now(self)).finish()
    }
}

struct Sleep {
    state: Arc<Mutex<State>>,
    until: Timestamp,
    registration: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.state.clone();
        let mut state = lock(&shared);
        if state.now >= self.until {
            return Poll::Ready(());
        }
        let registration = *self.registration.get_or_insert_with(|| {
            state.registered += 1;
            state.registered
        });
        state.sleepers.insert((self.until, registration), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(registration) = self.registration {
            lock(&self.state).sleepers.remove(&(self.until, registration));
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
        let mut sleep = clock.sleep(Duration::from_secs(2)); // virtual
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
        let mut sleep = clock.sleep(Duration::from_secs(2)); // virtual
        assert!((&mut sleep).now_or_never().is_none());

        drop(sleep);

        assert_eq!(clock.next_wake(), None);
    }
}
