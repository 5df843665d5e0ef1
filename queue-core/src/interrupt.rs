//! The way to cut an attempt off from outside.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why an attempt is told to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterruptReason {
    /// The program stops; the job is given back, uncounted.
    Shutdown,
    /// Somebody cancelled the job, for this reason.
    Cancelled(String),
    /// The lease was lost: somebody else may hold the job by now.
    LeaseLost,
}

/// One attempt's interrupt: first a request, which the job may honour, then force, which drops it.
///
/// Cheap to clone; all clones are the same interrupt. The first reason stands.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: OnceLock<InterruptReason>,
    requested: CancellationToken,
    forced: CancellationToken,
}

impl Interrupt {
    /// Makes one that has not fired.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the job to stop: its token fires.
    pub fn request(&self, reason: InterruptReason) {
        // The first reason stands; a later one changes nothing.
        drop(self.0.reason.set(reason));
        self.0.requested.cancel();
    }

    /// Drops the job where it is, whether it was asked before or not. Its scope is still disposed.
    pub fn force(&self, reason: InterruptReason) {
        self.request(reason);
        self.0.forced.cancel();
    }

    /// Tells why, once it was asked to stop.
    #[must_use]
    pub fn reason(&self) -> Option<&InterruptReason> {
        self.0.reason.get()
    }

    /// The token that the job sees.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.0.requested
    }

    /// Waits until force is used.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    pub async fn forced(&self) {
        self.0.forced.cancelled().await;
    }
}
