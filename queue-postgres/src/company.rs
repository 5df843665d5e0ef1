//! Adaptive group commit. Callers answered by the last batch usually call again at once, so the next batch lingers
//! briefly for them. A single caller never waits.

use std::time::{Duration, Instant};

/// For this number of batches no batch lingers, after one at which at most half of the expected callers came.
const PATIENCE_LOST: u32 = 32;

pub(crate) struct Company {
    patience: Duration,
    /// The number of calls in the last batch.
    last: usize,
    /// The number of next batches that don't linger.
    lonely: u32,
}

/// The time that is left for a batch to linger.
pub(crate) struct Patience {
    length: Duration,
    began: Option<Instant>,
}

impl Company {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, last: 0, lonely: 0 }
    }

    /// Returns the number of calls that the next batch lingers for, `here` of which have arrived; 0 if it doesn't linger.
    pub(crate) fn expected(&mut self, here: usize) -> usize {
        let crowd = if self.last > 1 { self.last.max(here) } else { here };
        let is_lonely = self.lonely > 0;
        self.lonely = self.lonely.saturating_sub(1);
        if is_lonely || crowd < 2 { 0 } else { crowd }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { length: self.patience, began: None }
    }

    /// Records the number of calls in a batch that had lingered for `expected` calls.
    pub(crate) fn came(&mut self, count: usize, expected: usize) {
        if count * 2 <= expected {
            self.lonely = PATIENCE_LOST;
        }
        self.last = count;
    }
}

impl Patience {
    /// Yields once. Returns `false` if the batch has lingered for its whole time.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.began.get_or_insert_with(Instant::now).elapsed() > self.length {
            return false;
        }
        // The callers may need this core.
        std::thread::yield_now();
        tokio::task::yield_now().await;
        true
    }
}
