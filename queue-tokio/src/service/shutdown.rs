//! The signals of a stop, and the wait for what ends meanwhile.

use queue_core::StopSignal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The signals of a stop.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// The stop of the host: from then on no job starts, even before this service stops.
    draining: StopSignal,
    /// The stop of this service, which ends its claims as well.
    stopping: StopSignal,
    /// Everything is settled, or abandoned.
    over: CancellationToken,
    /// Sent after each step of a worker during a stop.
    changes: watch::Sender<()>,
}

impl Shutdown {
    pub(super) fn new(draining: StopSignal) -> Self {
        let changes = watch::Sender::new(());
        Self { draining, stopping: StopSignal::new(), over: CancellationToken::new(), changes }
    }

    /// Fires the signal that ends the claims.
    pub(super) fn stop_claims(&self) {
        self.stopping.fire();
    }

    /// Returns the signal that ends the claims.
    pub(super) fn stopping(&self) -> &StopSignal {
        &self.stopping
    }

    /// Returns whether no job may start any more.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.has_fired() || self.draining.has_fired()
    }

    /// Notes a change for which the stop may wait. The caller has made the change before.
    pub(super) fn note_change(&self) {
        if self.is_stopping() {
            self.changes.send_replace(());
        }
    }

    /// Waits until a condition holds that only changes which are noted can bring about.
    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        // Subscribed before the check, so that a change after it is not missed.
        let mut changes = self.changes.subscribe();
        while !holds() && changes.changed().await.is_ok() {}
    }

    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }
}
