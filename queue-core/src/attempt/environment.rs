//! The outside world of an attempt.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::attempt::observe::{Event, Observer};
use crate::attempt::runtime::Blocking;
use crate::contract::clock::Clock;

/// The outside world of an attempt: the clock, the blocking threads, the observer and the service.
#[derive(Clone)]
pub struct Environment {
    /// The clock by which attempts are bounded.
    pub clock: Arc<dyn Clock>,
    /// The threads for blocking jobs.
    pub blocking: Arc<dyn Blocking>,
    /// The observer of events, if there is one.
    pub observer: Option<Arc<dyn Observer>>,
    /// The name of the service that runs the attempt, for log lines.
    pub service: Option<Arc<str>>,
}

impl Environment {
    /// Passes an event to the observer. Without an observer, the event is not created.
    ///
    /// If the observer panics, the panic is caught and logged, and nothing else is affected.
    #[inline]
    pub fn observe(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.observer {
            let observed = catch_unwind(AssertUnwindSafe(|| observer.observe(&event())));
            if observed.is_err() {
                tracing::error!(service = self.service(), "an observer panicked");
            }
        }
    }

    /// Returns the name of the service.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
