//! A job that the kit has claimed.

use queue_core::Lease;
use queue_core::backend::Attempt;

/// A job that the executor holds. Its lease is renewed, as the hosted loop does.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) attempt: Attempt,
}

impl Held {
    pub(super) fn lease(&self) -> &Lease {
        &self.attempt.delivery().lease
    }
}
