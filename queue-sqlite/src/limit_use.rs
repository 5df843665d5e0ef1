//! The use of one limit: of a queue as a whole, or of a partition.

use queue_core::{Limit, Timestamp};

/// The use of one limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitUse {
    /// The limit in force.
    pub(crate) limit: Limit,
    /// The number of executing jobs.
    pub(crate) running: u64,
    /// When the next job may start. It is the state of the rate, and the end of a hold.
    pub(crate) free_at: Timestamp,
}

impl LimitUse {
    /// Returns whether as many jobs run as the limit allows.
    pub(crate) fn is_full(&self) -> bool {
        self.limit.running.is_some_and(|most| self.running >= u64::from(most))
    }

    /// Returns whether a job may start at `now`.
    pub(crate) fn may_start(&self, now: Timestamp) -> bool {
        self.free_at <= now && !self.is_full()
    }

    /// Counts the start of a job.
    pub(crate) fn start(&mut self, now: Timestamp) {
        self.running += 1;
        if let Some(rate) = self.limit.rate {
            self.free_at = rate.after(now, self.free_at, 1);
        }
    }

    /// Returns whether past starts or a hold still have an effect.
    pub(crate) fn is_remembered(&self, now: Timestamp) -> bool {
        let is_used = self.limit.rate.is_some_and(|rate| rate.available(now, self.free_at) < rate.burst);
        self.free_at > now || is_used
    }
}
