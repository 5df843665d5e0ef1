//! Adaptive group commit. Callers answered by the last batch usually call again at once, so the next batch lingers
//! briefly for them. A single caller never waits.

use std::time::{Duration, Instant};

/// The number of batches that do not linger after one for which half of the expected calls, or more, did not come.
const SKIP_BATCHES: u32 = 32;

/// Decides how many calls a batch lingers for, from what the batches before it received.
pub(crate) struct Linger {
    delay: Duration,
    /// The number of calls in the last batch.
    last_batch: usize,
    /// The number of coming batches that do not linger.
    skip: u32,
}

/// The time that is left for a batch to linger.
pub(crate) struct SpinWait {
    length: Duration,
    began: Option<Instant>,
}

impl Linger {
    /// Creates a state in which each batch lingers for at most `delay`.
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, last_batch: 0, skip: 0 }
    }

    /// Returns the number of calls that the next batch lingers for, `arrived` of which have arrived; 0 if it does not
    /// linger.
    pub(crate) fn expected(&mut self, arrived: usize) -> usize {
        let likely = if self.last_batch > 1 { self.last_batch.max(arrived) } else { arrived };
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        if skips || likely < 2 { 0 } else { likely }
    }

    /// Returns the wait of the next batch, which begins at its first [`spin`](SpinWait::spin).
    pub(crate) fn spin_wait(&self) -> SpinWait {
        SpinWait { length: self.delay, began: None }
    }

    /// Records that a batch was collected: its calls, and how many were expected.
    pub(crate) fn record(&mut self, calls: usize, expected: usize) {
        if calls * 2 <= expected {
            self.skip = SKIP_BATCHES;
        }
        self.last_batch = calls;
    }
}

impl SpinWait {
    /// Yields once. Returns `false` if the wait is over.
    pub(crate) async fn spin(&mut self) -> bool {
        if self.began.get_or_insert_with(Instant::now).elapsed() > self.length {
            return false;
        }
        // The callers may need this core.
        std::thread::yield_now();
        tokio::task::yield_now().await;
        true
    }
}
