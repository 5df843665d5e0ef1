//! Time as a value: the instant type of the contract, and the clock that returns it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::contract::error::QueueError;

/// An instant, in whole microseconds since the Unix epoch.
///
/// Backends store and compare this type.
/// The range is about 290,000 years to either side of 1970. Arithmetic that leaves the range returns `None`.
///
/// ```
/// use std::time::Duration;
///
/// use queue_core::Timestamp;
///
/// let later = Timestamp::EPOCH.checked_add(Duration::from_secs(90)).unwrap();
/// assert_eq!(later.as_micros(), 90_000_000);
/// assert_eq!(later.since(Timestamp::EPOCH), Duration::from_secs(90));
/// assert_eq!(later.checked_add(Duration::MAX), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The last instant that can be represented.
    pub const MAX: Self = Self(i64::MAX);

    /// Creates an instant from microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Adds a duration, rounded down to whole microseconds. Returns `None` if the result is past [`Timestamp::MAX`].
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(micros(duration)?).map(Self)
    }

    /// Adds a duration and stops at [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// Subtracts a duration and stops at the first instant that can be represented.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration).unwrap_or(i64::MAX)))
    }

    /// Returns the duration from `earlier` to this instant, or zero if this instant is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// Returns the whole microseconds of a duration, if they fit. Avoids the 128-bit division of `as_micros`.
fn micros(duration: Duration) -> Option<i64> {
    let seconds = i64::try_from(duration.as_secs()).ok()?.checked_mul(1_000_000)?;
    seconds.checked_add(i64::from(duration.subsec_micros()))
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::EPOCH.saturating_add(after),
            Err(before) => Self::EPOCH.saturating_sub(before.duration()),
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// Converts to the platform's clock. An instant that it cannot represent becomes the epoch.
    fn from(time: Timestamp) -> Self {
        let distance = Duration::from_micros(time.0.unsigned_abs());
        let time =
            if time.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// Writes RFC 3339 with microseconds, or the plain number for instants before 1970 and after the year 9999.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const YEAR_10_000: i64 = 253_402_300_800_000_000;
        if (0..YEAR_10_000).contains(&self.0) {
            humantime::format_rfc3339_micros((*self).into()).fmt(f)
        } else {
            write!(f, "{} µs since the epoch", self.0)
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the time, and waits for time to pass.
///
/// All code that needs time gets a clock as an argument, so that a test can control it.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current instant. The clock may be stepped, also backwards.
    fn now(&self) -> Timestamp;

    /// Waits for `duration` by a clock that is never stepped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the wait and has no other effect.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Returns a handle with which a test moves this clock. The default is `None`, for a clock that moves by itself.
    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        None
    }
}

/// The clock of a queue under test. It stands still until the test moves it.
///
/// While it stands still, no lease expires and no job becomes due, however long the test takes.
#[async_trait]
pub trait TestClock: Send + Sync + 'static {
    /// Returns the current instant of the queue.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the queue's store can't be reached.
    async fn now(&self) -> Result<Timestamp, QueueError>;

    /// Moves the clock to an instant. An instant in the past changes nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the queue's store can't be reached.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the clock may or may not have moved.
    async fn advance_to(&self, to: Timestamp) -> Result<(), QueueError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_out_of_range_saturates_or_returns_none() {
        assert_eq!(Timestamp::MAX.checked_add(Duration::from_micros(1)), None);
        assert_eq!(Timestamp::EPOCH.checked_add(Duration::MAX), None);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN).saturating_sub(Duration::MAX).as_micros(), i64::MIN);
        assert_eq!(Timestamp::MAX.since(Timestamp::from_micros(i64::MIN)), Duration::from_micros(u64::MAX));
    }

    #[test]
    fn an_instant_is_displayed_in_rfc_3339() {
        assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "-1 µs since the epoch");
    }
}
