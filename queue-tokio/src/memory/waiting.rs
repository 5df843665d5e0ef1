//! How many callers wait.

use super::lock::{AtomicUsize, Ordering};

/// The number of callers that wait for something, or are about to.
#[derive(Debug, Default)]
pub(super) struct Waiting(AtomicUsize);

/// A caller that waits, until it is dropped.
pub(super) struct Waiter<'w>(&'w Waiting);

impl Waiting {
    /// Counts a caller. The caller then checks once more that it has to wait.
    pub(super) fn enter(&self) -> Waiter<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Waiter(self)
    }

    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
