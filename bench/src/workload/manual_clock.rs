//! A clock that is advanced by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use queue_core::{BoxFuture, Clock, Timestamp};

/// A clock that stands still until it is advanced.
#[derive(Clone, Default)]
pub(super) struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Advances the clock.
    pub(super) fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Returns at once if the duration is zero, and never otherwise: no caller here waits for time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}
