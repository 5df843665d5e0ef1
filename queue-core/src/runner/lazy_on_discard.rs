//! The job that a kind of job names for its discards.

use std::fmt;
use std::sync::Arc;

use crate::contract::on_discard::OnDiscard;

/// The job that a kind of job names for its discards. Its options are read when such a job is created, and not before: two kinds
/// may name each other.
#[derive(Clone)]
pub(crate) struct LazyOnDiscard(Arc<dyn Fn() -> OnDiscard + Send + Sync>);

impl LazyOnDiscard {
    pub(crate) fn new(on_discard: impl Fn() -> OnDiscard + Send + Sync + 'static) -> Self {
        Self(Arc::new(on_discard))
    }

    /// Returns the setting of a new job.
    pub(crate) fn on_discard(&self) -> Arc<OnDiscard> {
        Arc::new((self.0)())
    }
}

impl fmt::Debug for LazyOnDiscard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LazyOnDiscard")
    }
}
