//! The watchdog's view of a lane.

use std::mem;
use std::time::Duration;

use queue_core::Timestamp;

use super::{Finished, Lane, Progress};

/// The tasks of the watchdog for a lane.
#[derive(Debug, Default)]
pub(in crate::service) struct Rescue {
    /// Start another worker.
    pub(in crate::service) needs_worker: bool,
    /// Settle these.
    pub(in crate::service) finished: Vec<Finished>,
    /// Check again after this time at the latest.
    pub(in crate::service) next: Option<Duration>,
}

impl Lane {
    /// How often the watchdog checks a lane with an active worker. Results wait no longer than about twice this time.
    pub(in crate::service) const CHECK: Duration = Duration::from_millis(2);

    /// How often it checks a lane that it can't help.
    pub(in crate::service) const SLOW_CHECK: Duration = Duration::from_millis(10);

    /// Returns whether a worker is active.
    pub(in crate::service) fn is_active(&self) -> bool {
        self.lock().active > 0
    }

    /// Returns what the lane needs, since its workers may be held by jobs that block their threads. `last` is the progress at the
    /// last check, and becomes the current one.
    pub(in crate::service) fn rescue(&self, last: &mut Progress, is_stopping: bool) -> Rescue {
        let mut rescue = Rescue::default();
        let mut state = self.lock();
        let before = mem::replace(last, state.progress);
        // Without an active worker, only results of `release_surplus` are left.
        if state.active == 0 || before.settlements == state.progress.settlements {
            rescue.finished = state.begin_settlement();
        }
        if state.active == 0 {
            return rescue;
        }
        rescue.next = Some(Self::CHECK);
        if before.steps == state.progress.steps {
            if state.is_reinforced || !state.has_work(self.share, is_stopping) {
                rescue.next = Some(Self::SLOW_CHECK);
            } else {
                state.is_reinforced = true;
                rescue.needs_worker = self.call(state);
            }
        }
        rescue
    }

    /// Releases jobs that have waited for `patience` and can't start soon: the lane runs its share, or will. Returns when the
    /// next one is to be released.
    pub(in crate::service) fn release_surplus(&self, now: Timestamp, patience: Duration) -> Option<Duration> {
        let mut state = self.lock();
        let room = self.share.saturating_sub(state.running);
        loop {
            let surplus = state.waiting.len().saturating_sub(room);
            let oldest = state.waiting.front().filter(|_| surplus > 0)?;
            let waited = now.since(oldest.attempt().received_at());
            if waited < patience {
                return Some(patience.saturating_sub(waited));
            }
            let oldest = state.waiting.pop_front()?;
            state.release(oldest);
        }
    }
}
