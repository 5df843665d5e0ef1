//! Leases ready jobs.

use super::store::WorkerNumber;
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
            let max = self.max_from(queue, demand, deliveries.len());
            self.claim_from(queue, max, demand, &mut deliveries);
        }
        deliveries
    }

    /// Returns how many jobs a claim may lease from a queue after it has leased `leased` jobs.
    #[must_use]
    pub fn max_from(&self, queue: &QueueName, demand: &Demand, leased: usize) -> usize {
        demand.max_from(self.has_limits(queue)).min(demand.max).saturating_sub(leased)
    }

    /// Leases up to `max` jobs of one queue of a demand that are ready at the instant to which the table was last advanced.
    ///
    /// The length of the leases and the worker are the demand's.
    pub fn claim_from(&mut self, queue: &QueueName, max: usize, demand: &Demand, into: &mut Vec<Delivery>) {
        let Some(number) = self.store.find_queue(queue) else {
            return;
        };
        let worker = self.store.holders.number(demand.worker.as_ref());
        for _ in 0..max {
            let Some(slot) = self.store.pop_ready(number) else {
                return;
            };
            into.push(self.lease(slot, demand, worker));
        }
    }

    /// Leases a job that is in no index.
    fn lease(&mut self, slot: Slot, demand: &Demand, worker: WorkerNumber) -> Delivery {
        let (now, length) = (self.now, demand.lease);
        let job = &mut self.store[slot];
        job.attempt += 1;
        job.fence = Fence(job.fence.0 + 1);
        job.claimed_at = now;
        job.worker = worker;
        job.state_time = now.saturating_add(length);
        if let Some(extras) = &mut job.extras {
            extras.progress = None;
        }
        job.set_default_on_discard(demand.on_discard.as_ref());
        self.store.link(slot, State::Executing);
        let job = &self.store[slot];
        Delivery {
            lease: Lease { job: job.id, fence: job.fence, length, expires_at: job.state_time },
            name: self.store.name_of(job).clone(),
            queue: self.store.queue_of(job).name.clone(),
            partition: self.store.partition_of(job),
            body: job.body.clone(),
            meta: job.meta(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            priority: job.priority,
            pushed_at: job.pushed_at,
            run_at: job.run_at,
        }
    }
}
