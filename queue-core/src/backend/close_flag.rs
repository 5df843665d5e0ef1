//! Whether a program has closed its handle on a queue.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::contract::error::QueueError;

/// Remembers that a queue was closed.
///
/// ```
/// use queue_core::QueueErrorKind;
/// use queue_core::backend::CloseFlag;
///
/// let flag = CloseFlag::default();
/// assert!(flag.check().is_ok());
///
/// flag.close();
///
/// assert_eq!(flag.check().unwrap_err().kind(), QueueErrorKind::Closed);
/// ```
#[derive(Debug, Default)]
pub struct CloseFlag(AtomicBool);

impl CloseFlag {
    /// Marks the queue as closed. Closing it again has no effect.
    pub fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Checks that the queue is open.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub fn check(&self) -> Result<(), QueueError> {
        if self.0.load(Ordering::SeqCst) { Err(QueueError::closed()) } else { Ok(()) }
    }
}
