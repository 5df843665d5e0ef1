//! A job that the kit has claimed.

use queue_core::backend::Attempt;
use queue_core::{Heartbeat, Lease};

/// A job that the executor holds. Its lease is renewed, as the hosted loop does.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) attempt: Attempt,
}

impl Held {
    pub(super) fn lease(&self) -> &Lease {
        &self.attempt.delivery().lease
    }

    /// Returns the heartbeat with which the lease is renewed now.
    pub(super) fn heartbeat(&self) -> Heartbeat {
        Heartbeat::new(self.lease().clone()).progress(self.attempt.take_progress())
    }
}
