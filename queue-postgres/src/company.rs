//! For whom a statement waits: mostly those who were answered by the last one ask again at once, and then share the next.
//! Who is alone waits for nobody.

use std::time::{Duration, Instant};

/// For how many turns nobody is waited for once they didn't come.
const PATIENCE_LOST: u32 = 32;

pub(crate) struct Company {
    patience: Duration,
    /// How many came the last time.
    last: usize,
    /// For how many turns nobody is waited for.
    lonely: u32,
}

/// What is left of a wait.
pub(crate) struct Patience {
    length: Duration,
    began: Option<Instant>,
}

impl Company {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, last: 0, lonely: 0 }
    }

    /// Tells how many are worth waiting for, where so many are here.
    pub(crate) fn expected(&mut self, here: usize) -> usize {
        let crowd = if self.last > 1 { self.last.max(here) } else { here };
        let is_lonely = self.lonely > 0;
        self.lonely = self.lonely.saturating_sub(1);
        if is_lonely || crowd < 2 { 0 } else { crowd }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { length: self.patience, began: None }
    }

    /// Notes how many came of those who were expected.
    pub(crate) fn came(&mut self, count: usize, expected: usize) {
        if count * 2 <= expected {
            self.lonely = PATIENCE_LOST;
        }
        self.last = count;
    }
}

impl Patience {
    /// Waits a moment; tells whether there is any patience left.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.began.get_or_insert_with(Instant::now).elapsed() > self.length {
            return false;
        }
        // Those who are to ask may need this very core.
        std::thread::yield_now();
        tokio::task::yield_now().await;
        true
    }
}
