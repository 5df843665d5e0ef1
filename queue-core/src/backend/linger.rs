//! Adaptive group commit: how long the next batch waits for more calls.
//!
//! Callers that the last batch answered usually call again at once. If the next batch lingers for them, all of them share
//! one commit. If they do not call, the linger was lost time, so the following batches skip it. A single caller never waits.

use std::time::{Duration, Instant};

/// After a batch that got half of the expected calls or fewer, this many batches do not linger.
const SKIP_BATCHES: u32 = 32;

/// How long a batch lingers by default. To wake a thread takes about as long.
const LENGTH: Duration = Duration::from_micros(100);

/// Decides how long a batch lingers, and for how many calls, from the number of calls in the batches before it.
///
/// ```
/// use std::time::Instant;
///
/// use queue_core::backend::Linger;
///
/// let mut linger = Linger::default();
/// let mut window = linger.begin(1); // a single caller
/// assert!(!window.expects_more(1, Instant::now()));
/// linger.end(window, 1);
///
/// let mut window = linger.begin(4);
/// assert!(window.expects_more(2, Instant::now()));
/// linger.end(window, 2); // two of four called
/// assert!(!linger.begin(4).expects_more(2, Instant::now()));
/// ```
#[derive(Clone, Debug)]
pub struct Linger {
    /// How long a batch lingers.
    length: Duration,
    /// The number of calls in the last batch.
    last_batch: usize,
    /// The number of coming batches that do not linger.
    skip: u32,
}

impl Linger {
    /// Creates the state of a backend whose batches linger for `length`; 100 µs by default.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { length, last_batch: 0, skip: 0 }
    }

    /// Returns the number of calls in the last batch.
    #[must_use]
    pub const fn last_batch(&self) -> usize {
        self.last_batch
    }

    /// Begins to collect a batch.
    ///
    /// `likely` is the backend's estimate of its calls, from the calls of the last batch and those that have arrived.
    pub fn begin(&mut self, likely: usize) -> LingerWindow {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        let expected = if skips || likely < 2 { 0 } else { likely };
        LingerWindow::new(expected, self.length)
    }

    /// Records that a batch was collected, and its number of calls.
    pub fn end(&mut self, window: LingerWindow, calls: usize) {
        if window.expected > 0 && calls * 2 <= window.expected {
            self.skip = SKIP_BATCHES;
        }
        self.last_batch = calls;
    }
}

impl Default for Linger {
    fn default() -> Self {
        Self::new(LENGTH)
    }
}

/// The calls that a batch lingers for, and for how long. The time starts when the batch first lacks a call.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct LingerWindow {
    expected: usize,
    length: Duration,
    began: Option<Instant>,
}

impl LingerWindow {
    /// Creates the window of a batch that lingers up to `length` while it has fewer than `expected` calls.
    pub const fn new(expected: usize, length: Duration) -> Self {
        Self { expected, length, began: None }
    }

    /// Returns whether a batch with this number of calls waits for more, although none has arrived at `now`.
    pub fn expects_more(&mut self, calls: usize, now: Instant) -> bool {
        calls < self.expected && now.saturating_duration_since(*self.began.get_or_insert(now)) <= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects a batch, and returns the number of calls that it lingered for.
    fn collect(linger: &mut Linger, likely: usize, calls: usize) -> usize {
        let window = linger.begin(likely);
        linger.end(window, calls);
        window.expected
    }

    #[test]
    fn a_single_caller_never_waits() {
        let mut linger = Linger::default();

        for _ in 0..3 {
            let likely = linger.last_batch();
            assert_eq!(collect(&mut linger, likely, 1), 0);
        }
    }

    #[test]
    fn a_batch_lingers_for_the_callers_of_the_last_one() {
        let mut linger = Linger::default();
        collect(&mut linger, 0, 4);

        let likely = linger.last_batch();

        assert_eq!(collect(&mut linger, likely, 4), 4);
    }

    #[test]
    fn batches_do_not_linger_after_one_that_got_half_of_the_expected_calls() {
        let mut linger = Linger::default();

        collect(&mut linger, 4, 2);

        for _ in 0..SKIP_BATCHES {
            assert_eq!(collect(&mut linger, 8, 8), 0);
        }
        assert_eq!(collect(&mut linger, 8, 8), 8);
    }

    #[test]
    fn a_batch_lingers_again_after_most_of_the_expected_calls_came() {
        let mut linger = Linger::default();

        collect(&mut linger, 4, 3);

        assert_eq!(collect(&mut linger, 3, 3), 3);
    }

    #[test]
    fn a_batch_that_did_not_linger_is_no_reason_to_skip() {
        let mut linger = Linger::default();

        collect(&mut linger, 0, 0);

        assert_eq!(collect(&mut linger, 2, 2), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_begins_when_the_batch_first_lacks_a_call() {
        let mut window = LingerWindow::new(2, Duration::from_micros(50));
        let start = tokio::time::Instant::now().into_std();
        assert!(!window.expects_more(2, start), "the batch lacks no call yet");

        let later = start + Duration::from_secs(1);

        assert!(window.expects_more(1, later));
        assert!(window.expects_more(1, later + Duration::from_micros(50)));
        assert!(!window.expects_more(1, later + Duration::from_micros(51)));
    }
}
