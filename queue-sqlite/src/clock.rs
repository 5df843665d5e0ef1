//! The clock of the machine, which all processes that share a file use.

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use queue_core::{Clock, Timestamp};
use tokio::time::Instant;

/// The wall clock of the machine.
///
/// Its sleeps are monotonic, so they may end late after the wall clock was set. They need tokio's timer, which the
/// writer thread has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The sleep begins now, not at the first poll. A duration that overflows the clock never ends.
        let until = Instant::now().checked_add(duration);
        Box::pin(async move {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        })
    }
}
