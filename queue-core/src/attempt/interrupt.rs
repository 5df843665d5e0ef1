//! The way to cut an attempt off from outside.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

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
/// It is part of the attempt's [`JobContext`](crate::JobContext). The first reason stands.
#[derive(Default)]
pub struct Interrupt {
    reason: OnceLock<InterruptReason>,
    requested: LazyToken,
    forced: LazyToken,
    /// Fires when the attempt's time is over, where middleware stands around the job.
    overdue: LazyToken,
}

impl Interrupt {
    /// Asks the job to stop: its token fires.
    pub fn request(&self, reason: InterruptReason) {
        // The first reason stands; a later one changes nothing.
        drop(self.reason.set(reason));
        self.requested.fire();
    }

    /// Drops the job where it is, whether it was asked before or not. Its scope is still disposed.
    pub fn force(&self, reason: InterruptReason) {
        self.request(reason);
        self.forced.fire();
    }

    /// Tells why, once it was asked to stop.
    #[must_use]
    pub fn reason(&self) -> Option<&InterruptReason> {
        self.reason.get()
    }

    /// The token that the job sees.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        self.requested.get()
    }

    /// Notes that the attempt's time is over.
    pub(crate) fn expire(&self) {
        self.overdue.fire();
    }

    /// Waits until the attempt's time is over.
    pub(crate) async fn expired(&self) {
        self.overdue.get().cancelled().await;
    }

    /// Waits until force is used.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    pub async fn forced(&self) {
        self.forced.get().cancelled().await;
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

/// A token that is made when somebody asks for it: most jobs never do.
#[derive(Default)]
struct LazyToken {
    has_fired: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl LazyToken {
    fn fire(&self) {
        self.has_fired.store(true, Ordering::SeqCst);
        // Of one who fires and one who makes the token, at least one sees what the other did.
        fence(Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }

    fn get(&self) -> &CancellationToken {
        let token = self.token.get_or_init(CancellationToken::new);
        fence(Ordering::SeqCst);
        if self.has_fired.load(Ordering::SeqCst) {
            token.cancel();
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_asked_for_late_has_fired_all_the_same() {
        let interrupt = Interrupt::default();

        interrupt.request(InterruptReason::LeaseLost);
        interrupt.force(InterruptReason::Shutdown);

        assert!(interrupt.token().is_cancelled());
        assert_eq!(interrupt.reason(), Some(&InterruptReason::LeaseLost), "the first reason stands");
    }

    #[test]
    fn a_token_that_is_asked_for_early_fires() {
        let interrupt = Interrupt::default();
        let token = interrupt.token().clone();

        interrupt.request(InterruptReason::Shutdown);

        assert!(token.is_cancelled());
    }
}
