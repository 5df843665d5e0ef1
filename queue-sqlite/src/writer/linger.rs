//! Adaptive group commit: how long the next batch waits for more calls.
//!
//! Callers that the last batch answered usually call again at once. If the next batch lingers for them, all of them share
//! one commit. If they do not call, the linger was lost time, so the following batches skip it. A single caller never waits.

use std::time::{Duration, Instant};

/// The number of batches that do not linger after one for which half of the expected calls, or more, did not come.
const SKIP_BATCHES: u32 = 32;

/// Decides how many calls a batch lingers for, from what the batches before it received.
#[derive(Debug, Default)]
pub(super) struct Linger {
    /// The number of calls in the last batch.
    last_batch: usize,
    /// The number of coming batches that do not linger.
    skip: u32,
}

impl Linger {
    /// Returns the number of calls in the last batch.
    pub(super) fn last_batch(&self) -> usize {
        self.last_batch
    }

    /// Returns the number of calls that the next batch lingers for; 0 if it does not linger.
    ///
    /// `likely` is the number of calls that the caller considers likely: those of the last batch and those in the channel.
    pub(super) fn expected(&mut self, likely: usize) -> usize {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        if skips || likely < 2 { 0 } else { likely }
    }

    /// Records that a batch was collected: its calls, and how many were expected.
    pub(super) fn record(&mut self, calls: usize, expected: usize) {
        if expected > 0 && calls * 2 <= expected {
            self.skip = SKIP_BATCHES;
        }
        self.last_batch = calls;
    }
}

/// A wait that keeps the thread awake, because to sleep and wake up would take longer.
#[derive(Debug)]
pub(super) struct SpinWait {
    length: Duration,
    began: Option<Instant>,
}

impl SpinWait {
    /// Creates a wait of `length`, which begins at the first [`spin`](Self::spin).
    pub(super) fn new(length: Duration) -> Self {
        Self { length, began: None }
    }

    /// Yields the processor once. Returns `false` if the wait is over.
    pub(super) fn spin(&mut self) -> bool {
        if self.began.get_or_insert_with(Instant::now).elapsed() > self.length {
            return false;
        }
        // The caller that is about to call may need this core.
        std::thread::yield_now();
        true
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
    fn batches_do_not_linger_after_half_of_the_expected_calls_did_not_come() {
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

    #[test]
    fn a_spin_wait_ends() {
        let mut wait = SpinWait::new(Duration::from_micros(1));

        while wait.spin() {}

        assert!(!wait.spin());
    }
}
