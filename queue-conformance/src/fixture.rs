//! The interface between the conformance suite and a queue under test.

mod model_queue;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Admin, NewJob, QueueError, Receipt, Timestamp};

/// A fresh, empty queue, with control over its clock.
///
/// The queue must keep finished jobs until they are pruned. Its clock must stand still except for [`advance`](Fixture::advance).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a fixture of the conformance suite",
    label = "does not implement `queue_conformance::Fixture`",
    note = "the closure of `conformance!` returns a fixture: a type of the test that holds a fresh queue and controls its clock; \
            docs/backends.md lists its methods"
)]
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Returns a handle on the queue under test. Every call returns a handle on the same queue.
    fn queue(&self) -> Arc<dyn Admin>;

    /// Returns the present instant by the queue's own clock.
    fn now(&self) -> Timestamp;

    /// Moves the queue's clock, and wakes the callers that wait for it.
    async fn advance(&self, by: Duration);

    /// Closes the handle that [`queue`](Fixture::queue) returns.
    async fn close(&self);

    /// Empties the queue, so that it serves as a fresh one. Returns `false`, the default, if another fixture costs no more.
    ///
    /// No call is in flight. The queue keeps its handle, and its clock has the time of the day at which a fresh one starts.
    async fn empty(&self) -> bool {
        false
    }

    /// Returns the number of random sequences that Q55 compares with the model, unless the environment says another: 1,000.
    ///
    /// A backend on which they take minutes returns fewer, and runs more of them before a release.
    fn sequences(&self) -> u64 {
        1_000
    }

    /// Opens the same store again, as a restarted program would. Returns `None` if the queue lives in memory only.
    async fn reopen(&self) -> Option<Arc<dyn Admin>> {
        None
    }

    /// Creates another queue, fresh and empty, that holds at most `capacity` unfinished jobs. Returns `None` if the backend has no
    /// bound.
    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let _: u32 = capacity;
        None
    }
}

/// A bounded queue under test.
pub struct Bounded {
    /// The queue.
    pub queue: Arc<dyn Admin>,
    /// Its push that doesn't wait for capacity.
    pub try_push: TryPush,
}

/// A push that fails as `Full` instead of waiting for capacity.
pub type TryPush =
    Box<dyn Fn(Vec<NewJob>) -> BoxFuture<'static, Result<Vec<Receipt>, QueueError>> + Send + Sync>;

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}
