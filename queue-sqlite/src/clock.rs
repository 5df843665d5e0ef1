//! The clock of the machine, which all processes that share a file go by.

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use queue_core::{Clock, Timestamp};
use tokio::time::Instant;

/// The machine's wall clock; waits are monotonic, and may be long after a step of it.
///
/// Its waits need tokio's timer where they are polled, which the writer's thread has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // It begins now, and not when it's first polled. One that is longer than can be told never ends.
        let until = Instant::now().checked_add(duration);
        Box::pin(async move {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        })
    }
}
