//! The use of one limit, by the jobs of a queue or partition.

use crate::contract::clock::Timestamp;
use crate::contract::limit::Limit;
use crate::contract::rate::Rate;
use crate::contract::usage::Usage;

/// The use of one limit: of a queue as a whole, or of a partition.
///
/// ```
/// use queue_core::backend::LimitUse;
/// use queue_core::{Limit, Timestamp};
///
/// let now = Timestamp::EPOCH;
/// let mut used = LimitUse::unused(Limit::running(2));
/// assert_eq!(used.startable(10, now), 2);
/// used.start(now);
/// assert_eq!(used.startable(10, now), 1);
/// used.end(1);
/// assert_eq!(used.startable(10, now), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitUse {
    /// The limit in force.
    pub limit: Limit,
    /// The number of running jobs.
    pub running: u64,
    /// When the next job may start: the state of the rate, and the end of a hold, which needs no rate.
    pub free_at: Timestamp,
}

impl LimitUse {
    /// Creates it from what a backend has stored.
    #[must_use]
    pub const fn new(limit: Limit, running: u64, free_at: Timestamp) -> Self {
        Self { limit, running, free_at }
    }

    /// Creates the use of a limit under which no job has started.
    #[must_use]
    pub const fn unused(limit: Limit) -> Self {
        Self::new(limit, 0, Rate::UNUSED)
    }

    /// Returns whether as many jobs run as the limit allows.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.limit.running.is_some_and(|most| self.running >= u64::from(most))
    }

    /// Returns how many of `wanted` jobs may start at `now`.
    #[must_use]
    pub fn startable(&self, wanted: usize, now: Timestamp) -> usize {
        if self.free_at > now {
            return 0;
        }
        let rate = self.limit.rate.map_or(wanted, |rate| rate.available(now, self.free_at) as usize);
        self.room(wanted).min(rate)
    }

    /// Returns the instant from which more than `counted` of `wanted` jobs may start, if no job ends before.
    #[must_use]
    pub fn more_at(&self, wanted: usize, counted: usize, now: Timestamp) -> Option<Timestamp> {
        if counted >= self.room(wanted) {
            return None;
        }
        let at = match self.limit.rate {
            Some(rate) => rate.more_at(self.free_at, u32::try_from(counted).ok()?)?,
            None => self.free_at,
        };
        Some(at).filter(|at| *at > now)
    }

    /// Returns the place in the order in which partitions are served: the running jobs for the weight, the least first.
    #[must_use]
    pub fn load(&self) -> u64 {
        const UNIT: u64 = 1_000_000;
        self.running.saturating_mul(UNIT) / u64::from(self.limit.weight.max(1))
    }

    /// Counts the start of a job.
    pub fn start(&mut self, now: Timestamp) {
        self.running += 1;
        if let Some(rate) = self.limit.rate {
            self.free_at = rate.after(now, self.free_at, 1);
        }
    }

    /// Counts the ends of jobs.
    pub fn end(&mut self, jobs: u64) {
        self.running = self.running.saturating_sub(jobs);
    }

    /// Forbids starts before an instant.
    pub fn hold(&mut self, until: Timestamp) {
        self.free_at = self.free_at.max(until);
    }

    /// Returns whether past starts or a hold still have an effect.
    #[must_use]
    pub fn is_remembered(&self, now: Timestamp) -> bool {
        let is_used = |rate: Rate| rate.available(now, self.free_at) < rate.burst;
        self.free_at > now || self.limit.rate.is_some_and(is_used)
    }

    /// Returns what operators see of it, with the number of ready jobs.
    #[must_use]
    pub fn usage(&self, ready: u64, now: Timestamp) -> Usage {
        Usage::new(ready, self.running, self.limit, Some(self.free_at).filter(|at| *at > now))
    }

    /// Returns how many of `wanted` jobs may start by the number of those that run.
    fn room(&self, wanted: usize) -> usize {
        let Some(most) = self.limit.running else { return wanted };
        let room = u64::from(most).saturating_sub(self.running);
        usize::try_from(room).map_or(wanted, |room| wanted.min(room))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_and_a_number_of_running_jobs_bind_together() {
        let now = Timestamp::from_micros(10_000_000);
        let limit = Limit::running(3).and_starts(2, Duration::from_secs(1));
        let mut used = LimitUse::unused(limit);

        assert_eq!(used.startable(9, now), 1, "starts are spaced");
        used.start(now);
        assert_eq!(used.startable(9, now), 0);
        assert_eq!(used.more_at(9, 0, now), Some(now.saturating_add(Duration::from_millis(500))));
        used.running = 3;
        assert_eq!(used.more_at(9, 0, now), None, "only the end of a job lets the next one start");
        assert!(used.is_full());
        used.end(5);
        assert_eq!(used.running, 0);
    }

    #[test]
    fn a_hold_needs_no_rate_and_is_remembered_until_its_end() {
        let now = Timestamp::from_micros(1);
        let until = Timestamp::from_micros(100);
        let mut used = LimitUse::unused(Limit::NONE);
        used.hold(until);
        used.hold(now);

        assert_eq!((used.startable(1, now), used.more_at(1, 0, now)), (0, Some(until)));
        assert_eq!(used.usage(7, now), Usage::new(7, 0, Limit::NONE, Some(until)));
        assert!(used.is_remembered(now));
        assert!(!used.is_remembered(until));
        assert_eq!(used.startable(1, until), 1);
    }

    #[test]
    fn a_weight_divides_the_load() {
        let used = LimitUse::new(Limit::weight(4), 2, Rate::UNUSED);
        assert_eq!(used.load(), 500_000);
    }
}
