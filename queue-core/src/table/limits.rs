//! The limits of queues and partitions.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::limit::{Limit, LimitScope};
use crate::contract::name::QueueName;
use crate::contract::partition::Partition;
use crate::contract::queue_limits::{LimitRecord, QueueLimits, check_limit};
use crate::contract::record::State;
use crate::contract::usage::{PartitionUsage, QueueUsage, Usage, UsageRequest};

impl JobTable {
    /// Replaces the limits that programs declare for a queue.
    ///
    /// # Errors
    ///
    /// `Invalid` if a value is not allowed; then nothing changes.
    pub fn declare_limits(
        &mut self,
        now: Timestamp,
        queue: &QueueName,
        limits: &QueueLimits,
    ) -> Result<(), QueueError> {
        limits.check()?;
        self.advance(now);
        let number = self.store.queue_number(queue);
        if limits.is_empty() && self.store.queue(number).shares().is_none() {
            return Ok(());
        }
        let shares = self.store.shares_mut(number, self.now);
        shares.limits.declare(limits);
        shares.apply_limits();
        Ok(())
    }

    /// Sets the limit of an operator, or takes it back.
    ///
    /// # Errors
    ///
    /// `Invalid` if a value is not allowed.
    pub fn set_limit(
        &mut self,
        now: Timestamp,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        check_limit(scope, &limit.unwrap_or_default())?;
        self.advance(now);
        let number = self.store.queue_number(queue);
        let shares = self.store.shares_mut(number, self.now);
        shares.limits.set(scope.clone(), limit);
        shares.apply_limits();
        Ok(())
    }

    /// Returns the limits of a queue.
    #[must_use]
    pub fn limits(&self, queue: &QueueName) -> Vec<LimitRecord> {
        let shares = self.store.find_queue(queue).and_then(|number| self.store.queue(number).shares());
        shares.map(|shares| shares.limits.records()).unwrap_or_default()
    }

    /// Returns how far a queue and its partitions use their limits.
    pub fn usage(&mut self, now: Timestamp, request: &UsageRequest) -> QueueUsage {
        self.advance(now);
        let queue = self.store.find_queue(&request.queue).map(|number| self.store.queue(number));
        let Some(queue) = queue else {
            return QueueUsage::new(request, self.now, Usage::default(), Vec::new());
        };
        let (total, partitions) = match queue.shares() {
            Some(shares) => shares.usage(),
            None => {
                let running = queue.count_of(State::Executing);
                let total = Usage::new(queue.ready() as u64, running, Limit::NONE, None);
                let is_used = total.ready > 0 || total.running > 0;
                let partitions = is_used.then(|| PartitionUsage::new(Partition::NONE, total));
                (total, partitions.into_iter().collect())
            }
        };
        QueueUsage::new(request, self.now, total, partitions)
    }

    /// Returns whether a queue has a limit, so that a claim must take no more jobs than can start at once.
    pub(super) fn has_limits(&self, queue: &QueueName) -> bool {
        let number = self.store.find_queue(queue);
        let shares = number.and_then(|number| self.store.queue(number).shares());
        shares.is_some_and(|shares| !shares.limits.is_empty())
    }

    /// Holds the partition of a job: none of its jobs starts before an instant.
    pub(super) fn hold(&mut self, slot: Slot, until: Timestamp) {
        let (queue, partition) = (self.store[slot].queue, self.store[slot].partition);
        self.store.shares_mut(queue, self.now).hold(partition, until);
    }
}
