//! The process that has opened a queue.

use queue_core::QueueError;

/// Distinguishes a process from its forks: they have the queue's memory, and none of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Checks that this is still the process that opened the queue.
    ///
    /// # Errors
    ///
    /// `Unavailable` in a forked process, where an answer would never come.
    pub(crate) fn check(self) -> Result<(), QueueError> {
        if self == Self::current() {
            return Ok(());
        }
        Err(QueueError::unavailable(
            "this process was forked from the one that opened the queue, whose threads it does not have: open the \
             queue in this process, after the fork",
        ))
    }
}

#[cfg(test)]
impl Process {
    /// Another process than this one.
    pub(crate) fn other() -> Self {
        Self(std::process::id().wrapping_add(1))
    }
}
