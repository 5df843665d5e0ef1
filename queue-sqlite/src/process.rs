//! The process that opened a queue.

use queue_core::QueueError;

/// A process id. It distinguishes a process from its forks, which have the queue's memory but none of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// Returns the process that calls this.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Checks that this is still the process that opened the queue.
    ///
    /// # Errors
    ///
    /// `Unavailable` in a forked process, where no thread would ever answer.
    pub(crate) fn check(self) -> Result<(), QueueError> {
        if self == Self::current() {
            return Ok(());
        }
        Err(QueueError::unavailable(
            "this process was forked from the one that opened the queue, and does not have the queue's threads: open \
             the queue in this process, after the fork",
        ))
    }
}

#[cfg(test)]
impl Process {
    /// Returns a process other than this one.
    pub(crate) fn other() -> Self {
        Self(std::process::id().wrapping_add(1))
    }
}
