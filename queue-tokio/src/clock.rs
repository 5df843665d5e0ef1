//! The clock of a tokio program.

use std::time::{Duration, Instant as StdInstant, SystemTime};

use futures_util::future::BoxFuture;
use queue_core::{Clock, Timestamp};
use tokio::time::Instant;

/// The wall-clock time at its creation, advanced by tokio's monotonic clock.
///
/// It never steps. While tokio's time is paused, it stands still and is advanced by `tokio::time::advance`.
///
/// ```
/// use std::time::Duration;
///
/// use queue_core::Clock as _;
/// use queue_tokio::TokioClock;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let clock = TokioClock::new();
/// let start = clock.now();
/// clock.sleep(Duration::from_secs(60)).await; // returns at once: time is paused
/// assert_eq!(clock.now().since(start), Duration::from_secs(60));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    started_at: Timestamp,
    started: Instant,
}

impl TokioClock {
    /// Creates a clock; reads the wall clock once.
    #[must_use]
    pub fn new() -> Self {
        Self { started_at: SystemTime::now().into(), started: Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.started_at.saturating_add(self.started.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer belongs to the runtime that polls it, not to the runtime that requested it.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}

/// Checks whether tokio's time is paused here, as under `#[tokio::test(start_paused = true)]`.
pub(crate) fn is_time_paused() -> bool {
    let (before, real) = (Instant::now(), StdInstant::now());
    while real.elapsed() < Duration::from_micros(2) {
        std::hint::spin_loop();
    }
    before == Instant::now()
}
