//! The signal that stops waiting claims, and services that would start more work.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Asks its listeners to stop. It fires once.
///
/// A claimer passes it to its backend in [`Demand::stop`](crate::Demand::stop). Cheap to clone; all clones are the same signal.
///
/// ```
/// use queue_core::StopSignal;
///
/// let signal = StopSignal::new();
/// let fired = signal.fired();
///
/// signal.fire();
///
/// # queue_testkit::block_on(async {
/// fired.await;
/// # });
/// assert!(signal.has_fired());
/// ```
#[derive(Clone, Default)]
pub struct StopSignal(Arc<SignalState>);

#[derive(Default)]
struct SignalState {
    has_fired: AtomicBool,
    has_listener: AtomicBool,
    token: CancellationToken,
}

impl StopSignal {
    /// Creates a signal that has not fired.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires the signal and wakes all its waiters. Firing it again has no effect.
    pub fn fire(&self) {
        self.0.has_fired.store(true, Ordering::SeqCst);
        self.0.token.cancel();
    }

    /// Returns whether the signal has fired, without taking a lock.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        self.0.has_fired.load(Ordering::SeqCst)
    }

    /// Waits until the signal fires. The future owns a clone of the signal.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    pub fn fired(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.token.clone().cancelled_owned()
    }

    /// Returns whether a backend has ever asked for the signal of a demand.
    ///
    /// If the backend never asks, it does not answer the signal, and the claimer drops the claim.
    #[must_use]
    pub fn has_listener(&self) -> bool {
        self.0.has_listener.load(Ordering::SeqCst)
    }

    pub(crate) fn note_listener(&self) {
        self.0.has_listener.store(true, Ordering::SeqCst);
    }
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSignal").field("has_fired", &self.has_fired()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::Demand;

    #[test]
    fn a_signal_wakes_earlier_and_later_waiters() {
        let signal = StopSignal::new();
        let mut early = Box::pin(signal.clone().fired());
        assert_eq!(early.as_mut().now_or_never(), None);

        signal.fire();

        assert!(signal.has_fired());
        assert_eq!(early.now_or_never(), Some(()));
        assert_eq!(signal.fired().now_or_never(), Some(()));
    }

    #[test]
    fn asking_a_demand_notes_that_the_backend_listens() {
        let signal = StopSignal::new();
        let demand = Demand::new("default", 1).stop(&signal);
        assert!(!signal.has_listener());

        assert!(!demand.is_stopped());

        assert!(signal.has_listener());
    }

    #[test]
    fn a_demand_without_a_signal_is_never_stopped() {
        let demand = Demand::new("default", 1);

        assert!(!demand.is_stopped());
        assert_eq!(demand.stopped().now_or_never(), None);
    }
}
