//! The capacity of a bounded table.

use std::collections::HashSet;

use super::JobTable;
use crate::contract::clock::Timestamp;
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::job::NewJob;
use crate::contract::name::QueueName;
use crate::contract::record::State;

impl JobTable {
    /// Returns the number of unfinished jobs, which use up capacity.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// Returns the number of unfinished jobs without those that are not due in the queues of ticks.
    ///
    /// Ends expired leases only if such a job waits.
    #[must_use]
    pub fn work_left(&mut self, now: Timestamp, has_ticks: impl Fn(&QueueName) -> bool) -> u64 {
        if self.waiting_in(&has_ticks) == 0 {
            return self.unfinished;
        }
        self.advance(now);
        self.unfinished.saturating_sub(self.waiting_in(&has_ticks))
    }

    /// Returns the number of jobs that were not due at the last advance, in some of the queues.
    fn waiting_in(&self, is_wanted: impl Fn(&QueueName) -> bool) -> u64 {
        let queues = self.store.queues().iter().filter(|queue| is_wanted(&queue.name));
        queues.map(|queue| queue.count_of(State::Scheduled) + queue.count_of(State::Retryable)).sum()
    }

    /// Returns how many more jobs fit beside those for which places are reserved, or `None` if there is no bound.
    ///
    /// Followups may have exceeded the bound; then it is zero until enough jobs have finished.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        let used = self.unfinished + self.store.reserved() as u64;
        self.config.capacity.map(|capacity| u64::from(capacity).saturating_sub(used))
    }

    /// Returns how many jobs of a batch would be stored: those whose identity and unique key are free.
    #[must_use]
    pub fn room_needed(&mut self, now: Timestamp, jobs: &[NewJob]) -> usize {
        self.advance(now);
        if jobs.iter().all(|job| job.id.is_none() && job.unique.is_none()) {
            return jobs.len();
        }
        // Only a job that is stored takes its identity and its key from later jobs of the batch.
        let (mut ids, mut keys) = (HashSet::new(), HashSet::new());
        let stored = jobs.iter().filter(|job| {
            if job.id.is_some_and(|id| self.store.find(id).is_some() || ids.contains(&id)) {
                return false;
            }
            if let Some(unique) = &job.unique {
                let holder = self.unique.holder(&job.name, unique);
                let is_free = holder.is_none_or(|holder| job.replaces() && self.has_started(holder));
                if !is_free || !keys.insert((&job.name, &unique.key)) {
                    return false;
                }
            }
            ids.extend(job.id);
            true
        });
        stored.count()
    }

    pub(super) fn check_capacity(&mut self, now: Timestamp, jobs: &[NewJob]) -> Result<(), QueueError> {
        let Some(room) = self.room() else { return Ok(()) };
        let needed = self.room_needed(now, jobs) as u64;
        let capacity = u64::from(self.config.capacity.unwrap_or(u32::MAX));
        if needed > capacity {
            return Err(QueueError::invalid(format!(
                "the batch has {needed} jobs, the queue's bound is {capacity}: push it in parts"
            )));
        }
        if needed > room {
            let text = format!("the queue is full: {} of {capacity} jobs are unfinished", self.unfinished);
            return Err(QueueError::new(QueueErrorKind::Full, text));
        }
        Ok(())
    }
}
