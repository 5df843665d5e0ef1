//! Adaptive group commit: how long the next batch waits for more calls.
//!
//! Callers that the last batch answered usually call again at once. If the next batch lingers for them, all of them share
//! one commit. If they do not call, the linger was lost time, so the following batches skip it. A single caller never waits.

use std::time::{Duration, Instant};

/// After a batch that got half of the expected calls or fewer, this many batches do not linger.
const SKIP_BATCHES: u32 = 32;

/// Decides how many calls a batch lingers for, from what the batches before it received.
///
/// ```
/// use queue_core::backend::Linger;
///
/// let mut linger = Linger::default();
/// assert_eq!(linger.expected(1), 0); // a single caller
/// linger.record(1, 0);
///
/// let expected = linger.expected(4);
/// assert_eq!(expected, 4);
/// linger.record(2, expected); // two of four called
/// assert_eq!(linger.expected(4), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Linger {
    /// The number of calls in the last batch.
    last_batch: usize,
    /// The number of coming batches that do not linger.
    skip: u32,
}

impl Linger {
    /// Returns the number of calls in the last batch.
    #[must_use]
    pub const fn last_batch(&self) -> usize {
        self.last_batch
    }

    /// Returns the number of calls that the next batch lingers for; 0 if it does not linger.
    ///
    /// `likely` is the backend's estimate, from the calls of the last batch and those that have arrived.
    pub fn expected(&mut self, likely: usize) -> usize {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        if skips || likely < 2 { 0 } else { likely }
    }

    /// Records that a batch was collected: its calls, and how many were expected.
    pub fn record(&mut self, calls: usize, expected: usize) {
        if expected > 0 && calls * 2 <= expected {
            self.skip = SKIP_BATCHES;
        }
        self.last_batch = calls;
    }
}

/// The time that a batch may linger. It starts at the first call of [`is_over`](Self::is_over).
#[derive(Clone, Copy, Debug)]
pub struct LingerTimer {
    length: Duration,
    began: Option<Instant>,
}

impl LingerTimer {
    /// Creates a timer that ends `length` after the first call of [`is_over`](Self::is_over).
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { length, began: None }
    }

    /// Returns whether the time is over at `now`.
    pub fn is_over(&mut self, now: Instant) -> bool {
        now.saturating_duration_since(*self.began.get_or_insert(now)) > self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_caller_never_waits() {
        let mut linger = Linger::default();

        for _ in 0..3 {
            let likely = linger.last_batch();
            assert_eq!(linger.expected(likely), 0);
            linger.record(1, 0);
        }
    }

    #[test]
    fn a_batch_lingers_for_the_callers_of_the_last_one() {
        let mut linger = Linger::default();
        linger.record(4, 0);

        let likely = linger.last_batch();

        assert_eq!(linger.expected(likely), 4);
    }

    #[test]
    fn batches_do_not_linger_after_one_that_got_half_of_the_expected_calls() {
        let mut linger = Linger::default();

        linger.record(2, 4);

        for _ in 0..SKIP_BATCHES {
            assert_eq!(linger.expected(8), 0);
        }
        assert_eq!(linger.expected(8), 8);
    }

    #[test]
    fn a_batch_lingers_again_after_most_of_the_expected_calls_came() {
        let mut linger = Linger::default();

        linger.record(3, 4);

        assert_eq!(linger.expected(3), 3);
    }

    #[test]
    fn a_batch_that_did_not_linger_is_no_reason_to_skip() {
        let mut linger = Linger::default();

        linger.record(0, 0);

        assert_eq!(linger.expected(2), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_starts_at_the_first_call() {
        let mut timer = LingerTimer::new(Duration::from_micros(50));
        let start = tokio::time::Instant::now().into_std();

        let later = start + Duration::from_secs(1);

        assert!(!timer.is_over(later));
        assert!(!timer.is_over(later + Duration::from_micros(50)));
        assert!(timer.is_over(later + Duration::from_micros(51)));
    }
}
