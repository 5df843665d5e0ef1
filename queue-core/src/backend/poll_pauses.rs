//! The pauses between the polls of a call that waits.

use std::time::Duration;

/// The pauses between the polls of a call that waits. Each is twice as long as the one before it, up to the longest.
///
/// So an event that comes soon is found soon, and a long wait costs few polls.
///
/// ```
/// use std::time::Duration;
///
/// use queue_core::backend::PollPauses;
///
/// let mut pauses = PollPauses::new(Duration::from_millis(2), Duration::from_millis(5));
///
/// assert_eq!([(); 4].map(|()| pauses.next_pause().as_millis()), [2, 4, 5, 5]);
/// pauses.restart();
/// assert_eq!(pauses.next_pause(), Duration::from_millis(2));
/// ```
#[derive(Clone, Debug)]
pub struct PollPauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl PollPauses {
    /// Creates the pauses from `first` up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Returns the pause before the next poll.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        pause
    }

    /// Begins again with the first pause.
    pub const fn restart(&mut self) {
        self.next = self.first;
    }
}
