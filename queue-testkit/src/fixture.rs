//! What the conformance suite needs of a queue under test.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Admin, NewJob, QueueError, Receipt, Timestamp};

/// A fresh, empty queue and the means to move its time.
///
/// Finished jobs must be kept until they are pruned, and the clock must stand still but for [`advance`](Fixture::advance).
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// The queue under test; every call gives a handle on the same one.
    fn queue(&self) -> Arc<dyn Admin>;

    /// The present instant of the queue's own clock.
    fn now(&self) -> Timestamp;

    /// Moves the queue's clock, and wakes those who wait for it.
    async fn advance(&self, by: Duration);

    /// Closes the handle that [`queue`](Fixture::queue) gives.
    async fn close(&self);

    /// Opens the same store anew, as a restarted program would; `None` for a queue that lives in memory only.
    async fn reopen(&self) -> Option<Arc<dyn Admin>> {
        None
    }

    /// Makes another queue, fresh and empty, that takes so many unfinished jobs; `None` for one that takes no bound.
    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let _: u32 = capacity;
        None
    }
}

/// A bounded queue under test.
pub struct Bounded {
    /// The queue.
    pub queue: Arc<dyn Admin>,
    /// Its push that doesn't wait for room.
    pub try_push: TryPush,
}

/// A push that answers `Full` rather than wait for room.
pub type TryPush =
    Box<dyn Fn(Vec<NewJob>) -> BoxFuture<'static, Result<Vec<Receipt>, QueueError>> + Send + Sync>;

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}
