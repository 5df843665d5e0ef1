//! Stops an attempt from outside.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// The reason for which an attempt must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterruptReason {
    /// The program shuts down. The job is released, and the attempt is not counted.
    Shutdown,
    /// The job was cancelled, for this reason.
    Cancelled(String),
    /// The lease was lost: another worker may hold the job by now.
    LeaseLost,
}

/// The interrupt of one attempt: first a request, which the job may honour, then force, which drops the job.
///
/// It is part of the attempt's [`JobContext`](crate::JobContext). The first reason stands.
#[derive(Default)]
pub struct Interrupt {
    reason: OnceLock<InterruptReason>,
    requested: LazyToken,
    forced: LazyToken,
    /// Fires at the attempt's timeout. Used only if there is middleware around the job: the timeout then counts the middleware
    /// too, and this token ends the job within. Without middleware, the job is ended directly.
    overdue: LazyToken,
}

impl Interrupt {
    /// Asks the job to stop, by firing its token.
    pub fn request(&self, reason: InterruptReason) {
        // The first reason stands. A later one changes nothing.
        drop(self.reason.set(reason));
        self.requested.fire();
    }

    /// Drops the job at its current await point, with or without an earlier request. Its scope is still disposed.
    pub fn force(&self, reason: InterruptReason) {
        self.request(reason);
        self.forced.fire();
    }

    /// Returns the reason, if the attempt was interrupted.
    #[must_use]
    pub fn reason(&self) -> Option<&InterruptReason> {
        self.reason.get()
    }

    /// Returns the token that the job sees.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        self.requested.get()
    }

    /// Notes that the attempt's timeout has passed.
    pub(crate) fn expire(&self) {
        self.overdue.fire();
    }

    /// Waits until the attempt's timeout has passed.
    pub(crate) async fn expired(&self) {
        self.overdue.get().cancelled().await;
    }

    /// Waits until [`force`](Self::force) is called.
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

/// A token that is created at its first use, since most jobs never use it.
#[derive(Default)]
struct LazyToken {
    has_fired: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl LazyToken {
    fn fire(&self) {
        self.has_fired.store(true, Ordering::SeqCst);
        // Of the thread that fires and the thread that creates the token, at least one sees the write of the other.
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
    fn a_token_created_after_firing_has_fired() {
        let interrupt = Interrupt::default();

        interrupt.request(InterruptReason::LeaseLost);
        interrupt.force(InterruptReason::Shutdown);

        assert!(interrupt.token().is_cancelled());
        assert_eq!(interrupt.reason(), Some(&InterruptReason::LeaseLost), "the first reason stands");
    }

    #[test]
    fn a_token_created_before_firing_fires() {
        let interrupt = Interrupt::default();
        let token = interrupt.token().clone();

        interrupt.request(InterruptReason::Shutdown);

        assert!(token.is_cancelled());
    }
}
