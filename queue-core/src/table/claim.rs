//! Leases ready jobs.

use std::time::Duration;

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::lease::{Fence, Lease};
use crate::contract::name::QueueName;
use crate::contract::queue::{Delivery, Demand};
use crate::contract::record::State;

impl JobTable {
    /// Leases up to `demand.max` ready jobs, from the demand's queues in their order.
    ///
    /// It never waits. If no job is ready, it returns an empty list.
    pub fn claim(&mut self, now: Timestamp, demand: &Demand) -> Vec<Delivery> {
        self.advance(now);
        let mut deliveries = Vec::new();
        for queue in &demand.queues {
            let max = demand.max.saturating_sub(deliveries.len());
            self.claim_from(queue, max, demand.lease, &mut deliveries);
        }
        deliveries
    }

    /// Leases up to `max` jobs of one queue that are ready at the instant to which the table was last advanced.
    pub fn claim_from(&mut self, queue: &QueueName, max: usize, lease: Duration, into: &mut Vec<Delivery>) {
        let Some(lane) = self.queues.find(queue) else {
            return;
        };
        for _ in 0..max {
            let Some(slot) = self.pop_ready(lane) else {
                return;
            };
            into.extend(self.lease(slot, lease));
        }
    }

    /// Removes and returns the first ready job of a lane. The caller inserts it into another index.
    fn pop_ready(&mut self, index: u32) -> Option<Slot> {
        let lane = self.lanes.get_mut(index as usize).filter(|lane| !lane.is_paused)?;
        let slot = lane.ready.pop_first()?.slot;
        lane.count(State::Available, -1);
        Self::note_change(&mut self.changed, lane, index);
        Some(slot)
    }

    /// Leases a job that is in no index.
    fn lease(&mut self, slot: Slot, length: Duration) -> Option<Delivery> {
        let now = self.now;
        let entry = self.entries.get_mut(slot as usize)?;
        entry.attempt += 1;
        entry.fence = Fence(entry.fence.0 + 1);
        entry.claimed_at = now;
        entry.stamp = now.saturating_add(length);
        let delivery = Delivery {
            lease: Lease { job: entry.id, fence: entry.fence, length, expires_at: entry.stamp },
            name: self.jobs.name(entry.name)?.clone(),
            queue: self.lanes.get(entry.lane as usize)?.name.clone(),
            body: entry.body.clone(),
            meta: entry.meta(),
            attempt: entry.attempt,
            max_attempts: entry.max_attempts,
            priority: entry.priority,
            pushed_at: entry.pushed_at,
            run_at: entry.run_at,
        };
        self.place(slot, State::Executing);
        Some(delivery)
    }
}
