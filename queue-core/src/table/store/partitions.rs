//! The partitions of all queues, as the other files of the table use them.

use super::job::StoredJob;
use super::shares::Shares;
use super::{Store, note_change};
use crate::contract::clock::Timestamp;
use crate::contract::partition::Partition;

impl Store {
    /// Returns the partition of a job.
    #[inline]
    pub(in crate::table) fn partition_of(&self, job: &StoredJob) -> Partition {
        if job.partition == 0 {
            return Partition::NONE;
        }
        self.queue_of(job).partition_name(job.partition)
    }

    /// Returns the number of a partition, and creates the partition at the first use.
    #[inline]
    pub(in crate::table) fn partition_number(
        &mut self,
        queue: u32,
        partition: &Partition,
        now: Timestamp,
    ) -> u32 {
        if partition.is_none() { 0 } else { self.shares_mut(queue, now).number(partition) }
    }

    /// Returns the shares of a queue, and creates them at the first use. The caller may let more jobs start.
    pub(in crate::table) fn shares_mut(&mut self, number: u32, now: Timestamp) -> &mut Shares {
        let queue = &mut self.queues[number as usize];
        if queue.shares().is_none() {
            self.shared.push(number);
        }
        note_change(&mut self.changed, queue, number);
        queue.shares_or_new(now)
    }

    /// Returns whether any queue has partitions or limits.
    #[inline]
    pub(in crate::table) fn has_shares(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Opens the partitions whose instants have come.
    pub(in crate::table) fn advance_shares(&mut self, now: Timestamp) {
        let Self { shared, queues, changed, .. } = self;
        for number in &*shared {
            let queue = &mut queues[*number as usize];
            if queue.shares_mut().is_some_and(|shares| shares.advance(now)) {
                note_change(changed, queue, *number);
            }
        }
    }

    /// Counts the stored jobs of each named partition.
    #[inline]
    pub(super) fn count_in_partition(&mut self, job: &StoredJob, change: i64) {
        if job.partition != 0
            && let Some(shares) = self.queues[job.queue as usize].shares_mut()
        {
            shares.count_job(job.partition, change);
        }
    }
}
